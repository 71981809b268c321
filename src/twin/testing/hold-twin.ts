/** Holds the process of a twin, and prints its process id. */
import { readdirSync, readFileSync } from 'node:fs';
import { TwinProcess } from '../twin-process.ts';

await TwinProcess.start();
const own = readdirSync('/proc').filter(
  (name) => /^\d+$/.test(name) && readFileSync(`/proc/${name}/stat`, 'utf8').includes(`) S ${process.pid} `),
);
process.stdout.write(`${own[0]}\n`);
setInterval(() => {}, 1000);
