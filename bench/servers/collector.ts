// Takes what OpenTelemetry exports and throws it away.
import { createServer } from "node:http";

createServer((request, response) => {
  request.resume();
  request.on("end", () => response.setHeader("content-type", "application/json").end("{}"));
}).listen(Number(process.env.PORT), "127.0.0.1");
