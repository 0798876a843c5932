// server.js PORT CERT KEY LARGE: HTTP/2 and HTTP/1.1 over TLS.
const http2 = require('http2'), fs = require('fs'), crypto = require('crypto');
const [port, cert, key, largeFile] = process.argv.slice(2);
const large = fs.readFileSync(largeFile);
const options = { cert: fs.readFileSync(cert), key: fs.readFileSync(key), allowHTTP1: true };
http2.createSecureServer(options, (request, response) => {
  if (request.url === '/large') return response.end(large);
  if (request.url !== '/digest') return response.end('hello from the backend\n');
  const sum = crypto.createHash('sha256');
  request.on('data', (chunk) => sum.update(chunk));
  request.on('end', () => response.end(sum.digest('hex')));
}).listen(Number(port), '127.0.0.1');
