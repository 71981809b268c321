/** Holds the process of a twin, and prints its process id. */
import { TwinProcess } from '../twin-process.ts';

const { pid } = await TwinProcess.start();
process.stdout.write(`${pid}\n`);
setInterval(() => {}, 1000);
