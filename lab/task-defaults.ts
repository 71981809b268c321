import type { LabConnect, LabListener, LabNames, LabNode, LabPacket, LabStep } from '../src/model/scenario.ts';
import type { AnswerTask, ConnectTask, ListenTask, SendTask } from './actors/tasks.ts';
import type { LabAddresses } from './plan-names.ts';

/** A listener with everything decided that the plan leaves open. */
export function listenTask(listener: LabListener, names: LabNames): ListenTask {
  const { address, port, backlog, accept, options, then, v6only, reusePort, dropFilter, device, md5, openFiles } =
    listener;
  return {
    address: address ?? '::',
    port: port ?? names.port,
    backlog: backlog ?? 128,
    accept: accept ?? 'always',
    afterwards: then ?? 'hold',
    options: options ?? [],
    v6only: v6only ?? false,
    reusePort: reusePort ?? false,
    dropFilter: dropFilter ?? false,
    ...(device === undefined ? {} : { device }),
    ...(md5 === undefined ? {} : { md5 }),
    ...(openFiles === undefined ? {} : { openFiles }),
  };
}

/** A connect with everything decided that the plan leaves open. */
export function connectTask(connect: LabConnect, names: LabNames, readMs: number): ConnectTask {
  const { address, port, count, options, landlock, fastOpen, then, cgroup: _, ...rest } = connect;
  return {
    ...rest,
    address: address ?? names.server,
    port: port ?? names.port,
    count: count ?? 1,
    options: options ?? [],
    landlock: landlock ?? false,
    fastOpen: fastOpen ?? false,
    readMs: connect.readMs ?? readMs,
    afterwards: then ?? 'hold',
  };
}

/** A packet with everything decided that the plan leaves open: from the server it goes to the client, from elsewhere to the server. */
export function sendTask(node: LabNode, packet: LabPacket, names: LabNames, addresses: LabAddresses): SendTask {
  const fromServer = node === 'server';
  const ephemeral = 32_768 + (addresses.seed % 20_000);
  const destination = packet.destination ?? (fromServer ? names.client : names.server);
  return {
    source: packet.source ?? (fromServer ? names.server : names.client),
    destination,
    sourcePort: packet.sourcePort ?? (fromServer ? names.port : ephemeral),
    destinationPort: packet.destinationPort ?? (fromServer ? ephemeral : names.port),
    flags: packet.flags,
    seq: packet.seq ?? 1000,
    ack: packet.ack ?? 0,
    ttl: packet.ttl ?? 64,
    ...(packet.tcpOptions === undefined ? {} : { tcpOptions: packet.tcpOptions }),
    payload: packet.payload ?? '',
    badTcpChecksum: packet.badTcpChecksum ?? false,
    badIpChecksum: packet.badIpChecksum ?? false,
    count: packet.count ?? 1,
    intervalMs: packet.intervalMs ?? 0,
    link: linkTo(node, destination === names.client, addresses),
  };
}

/** An answer with everything decided but what follows from the SYN. */
export function answerTask(
  answer: Extract<LabStep, { answerWith: unknown }>['answerWith'],
  names: LabNames,
): AnswerTask {
  const { seq, ack, tsecr, tcpOptions, fromAddress, source, sourcePort } = answer;
  const from = fromAddress ?? source;
  return {
    port: answer.destinationPort ?? names.port,
    flags: answer.flags,
    ackOffset: answer.ackOffset ?? 0,
    ttl: answer.ttl ?? 64,
    payload: answer.payload ?? '',
    badTcpChecksum: answer.badTcpChecksum ?? false,
    badIpChecksum: answer.badIpChecksum ?? false,
    count: answer.count ?? 1,
    ...(seq === undefined ? {} : { seq }),
    ...(ack === undefined ? {} : { ack }),
    ...(tsecr === undefined ? {} : { tsecr }),
    ...(tcpOptions === undefined ? {} : { tcpOptions }),
    ...(from === undefined ? {} : { fromAddress: from }),
    ...(sourcePort === undefined ? {} : { sourcePort }),
  };
}

function linkTo(node: LabNode, toClient: boolean, { devices, macs }: LabAddresses): SendTask['link'] {
  if (node === 'client') return { device: devices.client, mac: macs.routerClient };
  if (node === 'server') return { device: devices.server, mac: macs.routerServer };
  return toClient
    ? { device: devices.routerClient, mac: macs.client }
    : { device: devices.routerServer, mac: macs.server };
}
