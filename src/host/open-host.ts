import { InputError } from '../model/errors.ts';
import type { Host } from './host.ts';
import { LocalHost } from './local-host.ts';
import { NetnsHost } from './netns-host.ts';

/** How {@link openHost} opens a host. */
export interface OpenHostOptions {
  /** Of `ssh:`: commands run there through `sudo -n`. */
  readonly sudo?: boolean;
  /** Of `ssh:`: whether it may ask for a password or about a key, where there is a terminal to do so; it may unless told otherwise. */
  readonly mayAsk?: boolean;
}

/**
 * Opens what `--on` names.
 * @throws InputError when it names nothing that can be opened.
 */
export async function openHost(spec: string, { sudo = false, mayAsk = true }: OpenHostOptions = {}): Promise<Host> {
  if (spec === 'local') return new LocalHost();
  const [kind = '', rest] = splitAt(spec, ':');
  // What only some hosts need is not loaded for the others.
  if (kind === 'bundle' && rest !== undefined && rest !== '') {
    const [{ readBundle }, { BundleHost }] = await Promise.all([
      import('./bundle/bundle-file.ts'),
      import('./bundle/bundle-host.ts'),
    ]);
    return new BundleHost(await readBundle(rest), spec);
  }
  if (kind === 'ssh' && rest !== undefined) {
    const { SshHost } = await import('./ssh/ssh-host.ts');
    return SshHost.open(rest, sudo, mayAsk);
  }
  if (kind === 'netns' && rest !== undefined) {
    if (!rest.startsWith('pid:')) return new NetnsHost(rest);
    const { openProcess, parsePid } = await import('./container/pid-host.ts');
    return openProcess(parsePid(rest.slice('pid:'.length)), spec);
  }
  if ((kind === 'pid' || kind === 'docker' || kind === 'pod') && rest !== undefined) {
    const { openContainer } = await import('./container/open-container.ts');
    return openContainer(kind, rest, async (target) =>
      (await import('./ssh/ssh-host.ts')).SshHost.open(target, sudo, mayAsk),
    );
  }
  throw new InputError({
    code: 'bad-host',
    message: `--on takes local, netns:NAME, pid:NUMBER, docker:NAME, pod:NAMESPACE/NAME, ssh:[user@]host[:port] or bundle:FILE, and "${spec}" is none of them.`,
  });
}

function splitAt(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
