/** Types of rtnetlink(7) messages (linux/rtnetlink.h). A notification has the type of the request that would have made the change. */
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;
export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
export const RTM_GETRULE = 34;
export const RTM_NEWNEXTHOP = 104;
export const RTM_DELNEXTHOP = 105;

/** Multicast groups, by the numbers that NETLINK_ADD_MEMBERSHIP takes (`enum rtnetlink_groups`). */
export const RTNLGRP = {
  link: 1,
  neighbour: 3,
  addressV4: 5,
  routeV4: 7,
  ruleV4: 8,
  addressV6: 9,
  routeV6: 11,
  ruleV6: 19,
  nexthop: 32,
} as const;

/** Address families as rtnetlink numbers them. */
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_BRIDGE = 7;

/** The request for all objects of a kind; the fixed part says of which family, 0 for all. */
export function dumpBody(bytes: number, family: number): Uint8Array {
  const body = new Uint8Array(bytes);
  body[0] = family;
  return body;
}
