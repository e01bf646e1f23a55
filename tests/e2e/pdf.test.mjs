// PDFs through the whole server: read, remembered, refused in words; files made to harm do the server none.
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { test, assert, equal, serve, fakeModel, post } from './harness.mjs';

// Objects, a cross-reference table and a trailer around `objects` (numbered from 1; 1 is the catalog).
function pdf(objects, more = '') {
  let out = '%PDF-1.4\n';
  let table = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`;
  objects.forEach((object, i) => {
    table += `${String(out.length).padStart(10, '0')} 00000 n \n`;
    out += `${i + 1} 0 obj\n${object}\nendobj\n`;
  });
  return Buffer.from(`${out}${table}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R ${more} >>\nstartxref\n${out.length}\n%%EOF\n`, 'latin1');
}
const stream = (bytes, more = '') => `<< /Length ${bytes.length} ${more} >>\nstream\n${bytes}\nendstream`;
const page = (content, more = '') => pdf(['<< /Type /Catalog /Pages 2 0 R >>', '<< /Type /Pages /Kids [4 0 R] /Count 1 >>',
  '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>', '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents 5 0 R >>', content], more);
const document = (bytes) => ({ type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: bytes.toString('base64') } });

test('a PDF is read, in a message and in a tool result; what cannot be read is refused in words', async () => {
  const server = await serve(fakeModel({ rules: [{ when: { contains: ['The secret word is marmalade'] }, say: 'I read it.' }], otherwise: 'Nothing.' }));
  const ask = (content) => post(server, '/v1/messages', { model: 'm', max_tokens: 50, messages: [{ role: 'user', content }] });
  try {
    const good = page(stream('BT /F1 12 Tf 72 720 Td (The secret) Tj 70 0 Td (word is marmalade.) Tj ET'));
    const read = await ask([document(good), { type: 'text', text: 'What does it say?' }]);
    equal([read.status, read.json.content?.[0].text], [200, 'I read it.'], 'a PDF in a message');
    const inResult = await post(server, '/v1/messages', { model: 'm', max_tokens: 50, tools: [{ name: 'Read', input_schema: { type: 'object' } }], messages: [
      { role: 'user', content: 'Read it.' }, { role: 'assistant', content: [{ type: 'tool_use', id: 't1', name: 'Read', input: {} }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', content: [document(good)] }] }] });
    equal(inResult.json.content[0].text, 'I read it.', 'a PDF in a tool result');
    for (const [what, bytes, words] of [
      ['a scan', page(stream('0 0 100 100 re f')), 'no text layer'],
      ['a locked file', page(stream('BT (x) Tj ET'), '/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O (01234567890123456789012345678901) /U (01234567890123456789012345678901) >> /ID [(0) (0)]'), 'encrypted'],
      ['no PDF', Buffer.from('GIF89a, honestly'), 'no PDF'],
    ]) {
      const { status, json } = await ask([document(bytes), { type: 'text', text: 'What?' }]);
      assert(status === 400 && json.error.type === 'invalid_request_error' && json.error.message.includes(words) && json.error.message.startsWith('messages.0.content.0.source.data'), `${what}: ${status} ${JSON.stringify(json)}`);
    }
  } finally { await server.stop(); }
});

test('PDFs made to harm take their own process and nothing else', async () => {
  const server = await serve(fakeModel({ otherwise: 'Still here.' }));
  const bomb = (await promisify(deflate)(Buffer.alloc(900 << 20, 0x20))).toString('latin1');  // not Sync: others wait in this process
  const nest = (open, close, depth) => open.repeat(depth) + close.repeat(depth);
  const hostile = {
    'a bomb of 900 MB': page(stream(bomb, '/Filter /FlateDecode')),
    'arrays 200,000 deep': page(stream(`BT ${nest('[', ']', 200_000)} TJ ET`)),
    'dictionaries 100,000 deep': pdf(['<< /Type /Catalog /Pages 2 0 R >>', nest('<< /A ', ' >>', 100_000)]),
    'pages that are their own parents': pdf(['<< /Type /Catalog /Pages 2 0 R >>', '<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 99999999 /Parent 2 0 R >>']),
    'a length that refers to itself': pdf(['<< /Type /Catalog /Pages 2 0 R >>', '<< /Type /Pages /Kids [3 0 R] /Count 1 >>', '<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>', '<< /Length 4 0 R >>\nstream\nBT (x) Tj ET\nendstream']),
    'a table of a thousand million objects': Buffer.from('%PDF-1.4\nxref\n0 1000000000\n0000000000 65535 f \ntrailer\n<< /Size 1000000000 /Root 1 0 R >>\nstartxref\n9\n%%EOF\n'),
    'a previous table that is this one': pdf(['<< /Type /Catalog /Pages 2 0 R >>', '<< /Type /Pages /Kids [] /Count 0 >>'], '/Prev 9'),
    'zeros': Buffer.alloc(1 << 20),
    'a header and noise': Buffer.concat([Buffer.from('%PDF-1.7\n'), Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7919 + (i >> 3)) & 255))]),
  };
  try {
    const ask = (content) => post(server, '/v1/messages', { model: 'm', max_tokens: 50, messages: [{ role: 'user', content }] });
    await Promise.all(Object.entries(hostile).map(async ([what, bytes]) => {
      const { status, json } = await ask([document(bytes), { type: 'text', text: 'What?' }]);
      assert(status === 200 || (status === 400 && json.error.message.length > 20) || status === 529 || status === 503, `${what}: ${status} ${JSON.stringify(json)?.slice(0, 300)}`);
      console.log(`     ${what}: ${status} ${status === 200 ? '' : json.error.message.slice(0, 110)}`);
    }));
    const good = await ask([document(page(stream('BT /F1 12 Tf 72 720 Td (Hello.) Tj ET'))), { type: 'text', text: 'What?' }]);
    equal(good.status, 200, 'a good PDF afterwards');
    const after = await ask('hello');
    equal([after.status, after.json.content[0].text], [200, 'Still here.'], 'the server afterwards');
    equal((await server.stop()).code, 0, 'exit code');
  } finally { await server.stop(); }
});
