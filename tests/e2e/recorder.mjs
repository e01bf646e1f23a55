// A proxy on loopback that keeps every request a client makes and the answer it was given, for tests that look at
// consecutive requests. What is recorded holds clients' own prompts: it stays in memory and is never written down.
import http from 'node:http';

export async function recorder(server) {
  const requests = [];
  const proxy = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('error', () => {});
    request.on('end', () => {
      const body = Buffer.concat(parts);
      const entry = { method: request.method, path: request.url.split('?')[0], headers: request.headers, body: null, at: requests.length, status: null, usage: null, cut: false };
      try { entry.body = JSON.parse(body); } catch { /* no JSON: a HEAD or GET */ }
      requests.push(entry);
      const onward = http.request(`${server.url}${request.url}`, { method: request.method, headers: request.headers, agent: false }, (answer) => {
        entry.status = answer.statusCode;
        response.writeHead(answer.statusCode, answer.headers);
        let text = '';
        answer.on('data', (part) => { text += part; response.write(part); });
        answer.on('end', () => { entry.usage = usageOf(text); response.end(); });
        answer.on('error', () => response.destroy());
      });
      onward.on('error', () => response.destroy());
      response.on('close', () => { if (!response.writableFinished) { entry.cut = true; onward.destroy(); } });
      onward.end(body);
    });
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${proxy.address().port}`, requests, close: () => { proxy.closeAllConnections(); proxy.close(); } };
}

// The final counts of an answer: of the last event that has any, or of a whole message.
function usageOf(text) {
  let usage = null;
  for (const line of text.startsWith('{') ? [text] : text.split('\n').filter((l) => l.startsWith('data: ')).map((l) => l.slice(6))) {
    try {
      const value = JSON.parse(line);
      usage = value.usage ?? value.message?.usage ?? usage;
    } catch { /* a line that is no JSON */ }
  }
  return usage;
}
