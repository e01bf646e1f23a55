// One client of the load program: asks with a raw socket, reads its stream as the wire defines it, and knows exactly what
// must come. It may go away in the middle, or read slowly; whatever it read until then must still be right.
import net from 'node:net';

// Words from a number, so that every stream has its own text and none can be taken for another's.
export function textFor(id, words) {
  let state = (id * 2654435761) >>> 0;
  const parts = [];
  for (let i = 0; i < words; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    parts.push(`w${id}.${i}.${(state >>> 12).toString(36)}`);
  }
  return parts.join(' ');
}

// Resolves with {outcome, problems, firstByte_ms, silence_ms}; outcome: 'whole', 'left', 'refused' or 'broken'.
export function ask({ port, text, leaveAfter_ms = 0, pauseAfterBytes = 0, pause_ms = 0, marks }) {
  return new Promise((resolve) => {
    const body = JSON.stringify({ model: 'm', max_tokens: 100000, stream: true, messages: [{ role: 'user', content: text }] });
    const socket = net.connect({ port, host: '127.0.0.1' });
    const begun = performance.now();
    const seen = { bytes: 0, last_ms: begun, silence_ms: 0, firstByte_ms: -1, paused: false };
    const reader = new EventReader(text);
    let over = false;
    const end = (outcome) => {
      if (over) return;
      over = true;
      clearTimeout(leaving);
      socket.destroy();
      resolve({ outcome, problems: reader.problems, firstByte_ms: seen.firstByte_ms, silence_ms: seen.silence_ms, status: reader.status });
    };
    const leaving = leaveAfter_ms > 0 ? setTimeout(() => end('left'), leaveAfter_ms) : undefined;
    socket.on('connect', () => socket.write(`POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`));
    socket.on('data', (bytes) => {
      const now = performance.now();
      if (seen.firstByte_ms < 0) seen.firstByte_ms = now - begun;
      else if (!seen.paused) seen.silence_ms = Math.max(seen.silence_ms, now - seen.last_ms);
      seen.last_ms = now;
      seen.paused = false;
      seen.bytes += bytes.length;
      marks.bytes += bytes.length;
      reader.push(bytes.toString('utf8'));
      if (reader.done) end(reader.status === 200 ? (reader.problems.length ? 'broken' : 'whole') : 'refused');
      else if (pauseAfterBytes > 0 && seen.bytes >= pauseAfterBytes) {
        pauseAfterBytes = 0;
        seen.paused = true;
        socket.pause();
        setTimeout(() => { seen.last_ms = performance.now(); socket.resume(); }, pause_ms);
      }
    });
    socket.on('error', (error) => { if (!over) { reader.problems.push(`connection: ${error.code}`); end('broken'); } });
    socket.on('close', () => { if (!over) { reader.problems.push('the connection was cut'); end('broken'); } });
  });
}

// HTTP/1.1 with chunks, then server-sent events, then the order of a message: anything out of place is a problem.
class EventReader {
  constructor(text) {
    this.expected = text;
    this.problems = [];
    this.raw = '';
    this.status = 0;
    this.body = '';
    this.said = '';
    this.state = 'before';
    this.index = -1;
    this.open = false;
    this.done = false;
  }

  problem(what) { if (this.problems.length < 5) this.problems.push(what); }

  push(bytes) {
    this.raw += bytes;
    if (this.status === 0) {
      const end = this.raw.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = this.raw.slice(0, end);
      this.raw = this.raw.slice(end + 4);
      this.status = Number(head.slice(9, 12));
      if (this.status !== 200) { this.done = true; return; }
      if (!/transfer-encoding: chunked/i.test(head)) this.problem('not chunked');
    }
    while (!this.done) {
      const end = this.raw.indexOf('\r\n');
      if (end < 0) return;
      const size = parseInt(this.raw.slice(0, end), 16);
      if (this.raw.length < end + 2 + size + 2) return;
      this.body += this.raw.slice(end + 2, end + 2 + size);
      this.raw = this.raw.slice(end + 4 + size);
      if (size === 0) { this.finish(); return; }
      this.events();
    }
  }

  events() {
    for (let end; (end = this.body.indexOf('\n\n')) >= 0; this.body = this.body.slice(end + 2)) {
      const data = this.body.slice(0, end).split('\n').find((line) => line.startsWith('data: '));
      if (data === undefined) { this.problem(`no data in ${this.body.slice(0, end)}`); continue; }
      this.take(JSON.parse(data.slice(6)));
    }
  }

  take(event) {
    const moves = {
      ping: () => {},
      message_start: () => { if (this.state !== 'before') this.problem('message_start twice'); this.state = 'started'; },
      content_block_start: () => { if (this.state !== 'started' || this.open || event.index !== this.index + 1) this.problem(`block ${event.index} out of place`); this.open = true; this.index = event.index; },
      content_block_delta: () => {
        if (!this.open || event.index !== this.index) this.problem('delta out of place');
        if (event.delta.type === 'text_delta') this.say(event.delta.text);
      },
      content_block_stop: () => { if (!this.open) this.problem('stop out of place'); this.open = false; },
      message_delta: () => { if (this.state !== 'started' || this.open) this.problem('message_delta out of place'); this.state = 'ended'; },
      message_stop: () => { if (this.state !== 'ended') this.problem('message_stop out of place'); this.state = 'stopped'; },
    };
    if (event.type === 'error') this.problem(`error event: ${event.error?.type}: ${event.error?.message}`);
    else if (moves[event.type]) moves[event.type]();
    else this.problem(`unknown event ${event.type}`);
  }

  say(text) {
    if (!this.expected.startsWith(text, this.said.length)) this.problem(`at ${this.said.length}: '${text}' for '${this.expected.slice(this.said.length, this.said.length + 20)}'`);
    this.said += text;
  }

  finish() {
    this.done = true;
    if (this.state !== 'stopped') this.problem('the stream ended without message_stop');
    if (this.said !== this.expected) this.problem(`${this.said.length} of ${this.expected.length} characters`);
  }
}
