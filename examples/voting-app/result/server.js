// The result page: counts the votes in PostgreSQL and sends them to every open page.
"use strict";

const fs = require("fs");
const http = require("http");
const { Pool } = require("pg");

const password = fs.readFileSync(process.env.DB_PASSWORD_FILE || "/run/secrets/db_password", "utf8").trim();
const pool = new Pool({ host: "db", user: "postgres", password, database: "postgres", connectionTimeoutMillis: 3000 });
pool.on("error", (error) => console.log("lost the database:", error.message));

const page = fs.readFileSync("index.html", "utf8")
  .replaceAll("{a}", process.env.OPTION_A || "Cats")
  .replaceAll("{b}", process.env.OPTION_B || "Dogs");
const open = new Set();
let last = JSON.stringify({ a: 0, b: 0 });

async function count() {
  try {
    const { rows } = await pool.query("SELECT vote, count(*)::int AS votes FROM votes GROUP BY vote");
    const found = { a: 0, b: 0 };
    for (const row of rows) found[row.vote] = row.votes;
    if (JSON.stringify(found) !== last) {
      last = JSON.stringify(found);
      for (const answer of open) answer.write(`data: ${last}\n\n`);
    }
  } catch (error) {
    console.log("cannot count:", error.message);
  }
  setTimeout(count, 500);
}

http.createServer((request, answer) => {
  if (request.url === "/events") {
    answer.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
    answer.write(`data: ${last}\n\n`);
    open.add(answer);
    request.on("close", () => open.delete(answer));
  } else if (request.url === "/counts") {
    answer.writeHead(200, { "Content-Type": "application/json" });
    answer.end(last);
  } else {
    answer.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
    answer.end(page);
  }
}).listen(80, () => console.log("ready"));
process.on("SIGTERM", () => process.exit(0));
count();
