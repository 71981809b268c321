/** Address and port of `127.0.0.1:7321`, `[::1]:7321` or `:7321`; no address is every address. */
export function splitListen(text: string): { readonly host: string; readonly port: number } {
  const [, v6, v4 = '', port] = /^(?:\[([\da-f:.]+)\]|([^:]*)):(\d+)$/i.exec(text) ?? [];
  return { host: v6 ?? v4, port: Number(port ?? 0) };
}

/** Whether only processes of this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === '::1' || host === 'localhost' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
