// An app that takes webhooks and verifies them with the Standard Webhooks library, to which it
// gives base64(client_secret) (BigCommerce docs, Webhooks > HTTPS webhooks). It prints its port,
// then a line of JSON for each request, and answers 200 or 401.
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(Buffer.from(process.env.CLIENT_SECRET).toString("base64"));
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  const line = { id: request.headers["webhook-id"] ?? "", body, ok: true, error: "" };
  try {
    webhook.verify(body, request.headers);
  } catch (error) {
    line.ok = false;
    line.error = error.message;
  }
  response.writeHead(line.ok ? 200 : 401).end();
  say(line);
});

server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
