// BullMQ on Node, as producer and as worker; the twin of produce.py.
//
//   node bullmq.mjs single|bulk|paced|timers <count>
//   node bullmq.mjs work <concurrency>
//
// Stamps go to $BENCH_STAMPS/<pid>.stamps in the format of stamps.py.
import { createRequire } from "node:module";
import fs from "node:fs";
import path from "node:path";

const require = createRequire(path.join(process.env.BENCH_NODE, "package.json"));
const { Queue, Worker } = require("bullmq");
const IORedis = require("ioredis");

const CHUNK = 1000;
const WARM = 20;
const TEXT = "+9779800000000 your order is on its way";
const connect = () =>
  new IORedis(process.env.BENCH_URL, { maxRetriesPerRequest: null });
const nanos = () => process.hrtime.bigint();
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const data = (n, sent) => ({ n, sent: sent.toString(), text: TEXT });

async function single(queue, count) {
  for (let n = 0; n < WARM; n++) await queue.add("work", data(n, 0n));
  const begin = nanos();
  for (let n = 0; n < count; n++) await queue.add("work", data(n, nanos()));
  return Number(nanos() - begin) / 1e9;
}

async function bulk(queue, count) {
  await queue.addBulk([{ name: "work", data: data(0, 0n) }]);
  const begin = nanos();
  for (let first = 0; first < count; first += CHUNK) {
    const jobs = [];
    const sent = nanos();
    for (let n = first; n < Math.min(first + CHUNK, count); n++) {
      jobs.push({ name: "work", data: data(n, sent) });
    }
    await queue.addBulk(jobs);
  }
  return Number(nanos() - begin) / 1e9;
}

async function paced(queue, count) {
  const begin = nanos();
  for (let n = 0; n < count; n++) {
    await sleep(10 + Math.random() * 30);
    await queue.add("work", data(n, nanos()));
  }
  return Number(nanos() - begin) / 1e9;
}

async function timers(queue, count) {
  const begin = nanos();
  for (let n = 0; n < count; n++) {
    const delay = 500 + Math.floor(Math.random() * 3500);
    const due = nanos() + BigInt(delay) * 1000000n;
    await queue.add("work", data(n, due), { delay });
    await sleep(2);
  }
  return Number(nanos() - begin) / 1e9;
}

function work(concurrency) {
  const stamps = [];
  const file = path.join(process.env.BENCH_STAMPS, `${process.pid}.stamps`);
  const out = fs.openSync(file, "w");
  const flush = () => {
    if (!stamps.length) return;
    fs.writeSync(out, Buffer.from(BigInt64Array.from(stamps).buffer));
    stamps.length = 0;
  };
  setInterval(flush, 50);
  const worker = new Worker(
    "bench",
    async (job) => {
      stamps.push(nanos(), BigInt(job.data.sent));
    },
    { connection: connect(), concurrency },
  );
  process.on("SIGTERM", async () => {
    await worker.close();
    flush();
    process.exit(0);
  });
}

const [command, number] = process.argv.slice(2);
if (command === "work") {
  work(Number(number));
} else {
  const queue = new Queue("bench", { connection: connect() });
  const commands = { single, bulk, paced, timers };
  const seconds = await commands[command](queue, Number(number));
  console.log(JSON.stringify({ seconds, count: Number(number) }));
  process.exit(0);
}
