import { sysctlNumber } from '../model/cause-facts.ts';

/**
 * The reverse path filter that is in force on an interface: the larger of `conf.all` and its own
 * (Documentation/networking/ip-sysctl.rst). 0 off, 1 strict, 2 loose.
 */
export function rpFilterMode(
  sysctls: Readonly<Record<string, string>> | undefined,
  device: string | undefined,
): number {
  const all = sysctlNumber(sysctls, 'net.ipv4.conf.all.rp_filter') ?? 0;
  const own = device === undefined ? 0 : (sysctlNumber(sysctls, `net.ipv4.conf.${device}.rp_filter`) ?? 0);
  return Math.max(all, own);
}
