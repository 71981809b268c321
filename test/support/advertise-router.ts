/** Sends one router advertisement (RFC 4861 section 4.2) to all nodes on a link: node advertise-router.ts DEVICE LIFETIME-SECONDS */
import process from 'node:process';
import { systemCalls } from '../../src/host/system.ts';

const AF_INET6 = 10;
const SOCK_RAW = 3;
const IPPROTO_IPV6 = 41;
const IPPROTO_ICMPV6 = 58;
const IPV6_MULTICAST_IF = 17;
const IPV6_MULTICAST_HOPS = 18;
const ROUTER_ADVERTISEMENT = 134;

const [, , device = '', lifetime = ''] = process.argv;
const calls = systemCalls();
const index = calls.interfaceIndex(device);
const fd = calls.socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
const int = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);
// Neighbour discovery comes from the link itself: a lower hop limit is not taken.
calls.setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, int(255));
calls.setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, int(index));
const message = Buffer.alloc(16);
message[0] = ROUTER_ADVERTISEMENT;
message[4] = 64;
message.writeUInt16BE(Number(lifetime), 6);
const allNodes = Buffer.alloc(28);
allNodes.writeUInt16LE(AF_INET6, 0);
allNodes.set([0xff, 0x02], 8);
allNodes[23] = 1;
allNodes.writeUInt32LE(index, 24);
calls.sendto(fd, message, 0, allNodes);
calls.close(fd);
