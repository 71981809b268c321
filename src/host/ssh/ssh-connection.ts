import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SshTarget } from './ssh-target.ts';

/** A session that nobody uses ends by itself after so long, whatever became of us. */
const IDLE_SECONDS = 60;
const CONNECT_SECONDS = 10;

/**
 * One connection of the system's ssh to a host, which all commands share (ControlMaster in ssh_config(5)); what the user
 * configured for that host applies. Its socket lies in a folder of its own that nobody else can enter.
 */
export class SshConnection {
  readonly target: SshTarget;
  private readonly folder: string = mkdtempSync(join(tmpdir(), `synscope-ssh-${process.pid}-`));
  private readonly onExit = (): void => this.close();
  private isClosed = false;

  constructor(target: SshTarget) {
    this.target = target;
    process.once('exit', this.onExit);
  }

  /**
   * The local command that runs one line in the shell of the other side.
   * @param mayAsk whether ssh may ask for a password or about a key, on the terminal.
   */
  command(line: string, mayAsk: boolean = false): readonly string[] {
    return [...this.ssh(mayAsk), '--', this.target.host, line];
  }

  /** Whether the shared connection stands. */
  isUp(): boolean {
    return this.control('check') === 0;
  }

  /** Ends the connection and everything that still runs through it. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    process.off('exit', this.onExit);
    this.control('exit');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private control(request: 'check' | 'exit'): number | null {
    const [program = 'ssh', ...options] = this.ssh(false);
    const argv = [...options, '-O', request, '--', this.target.host];
    return spawnSync(program, argv, { stdio: 'ignore', timeout: 5000 }).status;
  }

  private ssh(mayAsk: boolean): string[] {
    const { user, port } = this.target;
    const options = {
      ControlMaster: 'auto',
      // A per cent sign stands for something else.
      ControlPath: join(this.folder, 'socket').replaceAll('%', '%%'),
      ControlPersist: `${IDLE_SECONDS}`,
      BatchMode: mayAsk ? 'no' : 'yes',
      ConnectTimeout: `${CONNECT_SECONDS}`,
      ServerAliveInterval: '10',
      ServerAliveCountMax: '3',
      LogLevel: 'ERROR',
      // What a user may have configured for sessions of their own.
      RemoteCommand: 'none',
      RequestTTY: 'no',
      PermitLocalCommand: 'no',
      ClearAllForwardings: 'yes',
      ForwardAgent: 'no',
      ForwardX11: 'no',
    };
    return [
      'ssh',
      ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
      ...(user === undefined ? [] : ['-l', user]),
      ...(port === undefined ? [] : ['-p', `${port}`]),
    ];
  }
}
