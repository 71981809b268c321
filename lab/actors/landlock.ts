import { addressOf, C, check } from './libc.ts';

const SYS_LANDLOCK_CREATE_RULESET = 444;
const SYS_LANDLOCK_RESTRICT_SELF = 446;
const PR_SET_NO_NEW_PRIVS = 38;
/** LANDLOCK_ACCESS_NET_CONNECT_TCP of linux/landlock.h, since Linux 6.7. */
const CONNECT_TCP = 2n;

/** Puts this thread into a Landlock sandbox in which it may connect to no TCP port. @throws CallError */
export function forbidConnecting(): void {
  // struct landlock_ruleset_attr: handled_access_fs, handled_access_net.
  const attributes = Buffer.alloc(16);
  attributes.writeBigUInt64LE(CONNECT_TCP, 8);
  const ruleset = check(
    'landlock_create_ruleset',
    C.syscall(SYS_LANDLOCK_CREATE_RULESET, addressOf(attributes), attributes.length, 0, 0),
  );
  check('prctl', C.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  check('landlock_restrict_self', C.syscall(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0, 0));
  C.close(ruleset);
}
