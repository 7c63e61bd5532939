// What an author of a scenario sees in an editor: drives yaml-language-server over its protocol.
// Usage: node schema-editor-test.js SERVER REPOSITORY
'use strict';
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const [server, root] = process.argv.slice(2);
const schema = pathToFileURL(path.join(root, 'schema/scenario.schema.json')).href;
const child = spawn(server, ['--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] });
const waiting = new Map();
const published = new Map();
let buffer = Buffer.alloc(0);
let number = 0;

const send = (message) => {
  const text = JSON.stringify({ jsonrpc: '2.0', ...message });
  child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
};
const ask = (method, params) =>
  new Promise((resolve, reject) => {
    number += 1;
    waiting.set(number, { resolve, reject });
    send({ id: number, method, params });
  });
const settings = {
  yaml: { schemas: { [schema]: '*.yaml' }, completion: true, hover: true, validate: true, schemaStore: { enable: false } },
};

child.stdout.on('data', (data) => {
  buffer = Buffer.concat([buffer, data]);
  for (;;) {
    const end = buffer.indexOf('\r\n\r\n');
    if (end < 0) return;
    const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, end).toString())[1]);
    if (buffer.length < end + 4 + length) return;
    const message = JSON.parse(buffer.subarray(end + 4, end + 4 + length).toString());
    buffer = buffer.subarray(end + 4 + length);
    if (message.method && message.id !== undefined) {
      const parts = { yaml: settings.yaml };
      const result = message.method === 'workspace/configuration'
        ? message.params.items.map((item) => parts[item.section] ?? {})
        : null;
      send({ id: message.id, result });
    } else if (message.method === 'textDocument/publishDiagnostics') {
      const listener = published.get(message.params.uri);
      if (listener) listener(message.params.diagnostics);
    } else if (waiting.has(message.id)) {
      const { resolve, reject } = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.error) reject(new Error(JSON.stringify(message.error)));
      else resolve(message.result);
    }
  }
});

let files = 0;
const open = (text) => {
  files += 1;
  const uri = `file:///scenario-${files}.yaml`;
  const diagnostics = new Promise((resolve) => published.set(uri, resolve));
  send({ method: 'textDocument/didOpen', params: { textDocument: { uri, languageId: 'yaml', version: 1, text } } });
  return { uri, diagnostics };
};
const position = (text, mark) => {
  const before = text.slice(0, text.indexOf(mark)).split('\n');
  return { line: before.length - 1, character: before.at(-1).length };
};
let failures = 0;
const check = (name, holds, found) => {
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${name}`);
  if (!holds) {
    failures += 1;
    console.log(JSON.stringify(found, null, 1).slice(0, 2000));
  }
};

const good = `version: 1
run: {duration: 5s}
workloads:
  users: {arrivals: {poisson: 10/s}, call: api}
components:
  api:
    kind: service
    runtime: unlimited
    handlers: {default: [wait: 1ms]}
`;

async function main() {
  await ask('initialize', {
    processId: process.pid, rootUri: null, capabilities: { workspace: { configuration: true } }, initializationOptions: {},
  });
  send({ method: 'initialized', params: {} });
  send({ method: 'workspace/didChangeConfiguration', params: { settings } });

  const folder = path.join(root, 'scenarios');
  for (const file of fs.readdirSync(folder).filter((name) => name.endsWith('.yaml') && !name.endsWith('.tour.yaml')).sort()) {
    const found = await open(fs.readFileSync(path.join(folder, file), 'utf8')).diagnostics;
    check(`no complaint about scenarios/${file}`, found.length === 0, found);
  }
  const wrong = good.replace('duration: 5s', 'duration: 5').replace('runtime:', 'runtme:');
  const found = await open(wrong).diagnostics;
  const lines = found.map((one) => one.range.start.line);
  check('a missing unit and an unknown key are marked in their lines', lines.includes(1) && lines.includes(6 + 1), found);

  const keys = good.replace('    runtime: unlimited\n', '    rep\n');
  const completed = await ask('textDocument/completion', {
    textDocument: { uri: open(keys).uri }, position: { line: 7, character: 7 },
  });
  const labels = (completed.items ?? completed).map((item) => item.label);
  check('the keys of a kind are offered', labels.includes('replicas') && labels.includes('replace_after'), labels);

  const kinds = good.replace('kind: service', 'kind: ');
  const place = position(kinds, 'kind: ');
  const words = await ask('textDocument/completion', {
    textDocument: { uri: open(kinds).uri }, position: { line: place.line, character: place.character + 6 },
  });
  const offered = (words.items ?? words).map((item) => item.label);
  check('the kinds are offered', offered.includes('service') && offered.includes('database'), offered);

  const hover = await ask('textDocument/hover', { textDocument: { uri: open(good).uri }, position: position(good, 'handlers') });
  const said = JSON.stringify(hover?.contents ?? '');
  check('a key says what it is', said.length > 30, hover);

  send({ id: 999999, method: 'shutdown' });
  send({ method: 'exit' });
  process.exitCode = failures ? 1 : 0;
  setTimeout(() => child.kill(), 500).unref();
}

const limit = setTimeout(() => {
  console.log('FAIL the server did not answer within five minutes');
  child.kill();
  process.exit(1);
}, 300000);
limit.unref();
main().catch((error) => {
  console.log(`FAIL ${error.stack}`);
  child.kill();
  process.exit(1);
});
