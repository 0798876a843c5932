// client.js NAME PORT CA h1|h2 LARGE [upload]: what a healthy client asks for, each over a connection of its own.
const https = require('https'), http2 = require('http2'), fs = require('fs'), crypto = require('crypto');
const [name, port, caFile, version, largeFile, upload] = process.argv.slice(2);
const ca = fs.readFileSync(caFile), large = fs.readFileSync(largeFile);
const sum = (b) => crypto.createHash('sha256').update(b).digest('hex');

function ask1(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = https.request({ host: '127.0.0.1', port, servername: name, ca, method, path, agent: false, headers: { host: name } }, (response) => {
      const chunks = [];
      response.on('data', (c) => chunks.push(c));
      response.on('end', () => resolve(Buffer.concat(chunks)));
    });
    request.on('error', reject);
    request.end(body);
  });
}

function ask2(method, path, body) {
  return new Promise((resolve, reject) => {
    const session = http2.connect(`https://127.0.0.1:${port}`, { servername: name, ca });
    session.on('error', reject);
    const stream = session.request({ ':method': method, ':path': path, ':authority': name });
    const chunks = [];
    stream.on('data', (c) => chunks.push(c));
    stream.on('end', () => session.close(() => resolve(Buffer.concat(chunks))));
    stream.on('error', reject);
    stream.end(body);
  });
}

function check(what, got, want) {
  if (got !== want) throw new Error(`${what}: got ${got.slice(0, 80)}`);
}

(async () => {
  const ask = version === 'h2' ? ask2 : ask1;
  check('hello', (await ask('GET', '/hello')).toString(), 'hello from the backend\n');
  check('large', sum(await ask('GET', '/large')), sum(large));
  if (upload) check('digest', (await ask('POST', '/digest', large)).toString(), sum(large));
})().catch((e) => { console.log(e.code || '', e.message); process.exit(1); });
