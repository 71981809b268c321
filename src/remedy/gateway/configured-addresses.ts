import type { Configuration } from './configuration.ts';
import { isOfFamily } from './configuration.ts';
import type { GatewayDevice } from './devices.ts';
import { readStanzas } from './ifupdown.ts';
import { netplanDefinitions } from './netplan.ts';
import { profilesOf } from './network-manager.ts';
import { networkFileOf } from './networkd.ts';

/** An address that the configuration of a host gives an interface. */
export interface ConfiguredAddress {
  readonly address: string;
  readonly prefixLength: number;
  /** The file that says so. */
  readonly source: string;
}

/** The addresses that the configuration gives an interface, of whatever system there is; each once. */
export async function configuredAddresses(
  configuration: Configuration,
  device: GatewayDevice,
  family: 4 | 6,
): Promise<ConfiguredAddress[]> {
  const found = [
    ...(await fromNetplan(configuration, device)),
    ...(await fromNetworkd(configuration, device)),
    ...(await fromNetworkManager(configuration, device, family)),
    ...(await fromIfupdown(configuration, device, family)),
  ].flatMap(([text, source]): ConfiguredAddress[] => {
    const [, address = '', length] = /^\s*([\da-f:.]+)\/(\d{1,3})\s*$/i.exec(text) ?? [];
    if (length === undefined || !isOfFamily(address, family)) return [];
    return [{ address: address.toLowerCase(), prefixLength: Number(length), source }];
  });
  return found.filter(({ address }, at) => found.findIndex((one) => one.address === address) === at);
}

type Found = readonly (readonly [text: string, source: string])[];

async function fromNetplan(configuration: Configuration, device: GatewayDevice): Promise<Found> {
  return (await netplanDefinitions(configuration, [device])).flatMap(({ path, definition: { addresses } }) =>
    (Array.isArray(addresses) ? addresses : []).flatMap((one: unknown): Found => {
      if (typeof one === 'string') return [[one, path]];
      return typeof one === 'object' && one !== null ? Object.keys(one).map((text) => [text, path]) : [];
    }),
  );
}

async function fromNetworkd(configuration: Configuration, device: GatewayDevice): Promise<Found> {
  const file = await networkFileOf(configuration, device);
  return (file?.sections ?? [])
    .filter(({ name }) => name === 'Network' || name === 'Address')
    .flatMap(({ entries }) => entries)
    .flatMap(([key, value]): Found => (key === 'Address' ? [[value, file?.path ?? '']] : []));
}

async function fromNetworkManager(configuration: Configuration, device: GatewayDevice, family: 4 | 6): Promise<Found> {
  return (await profilesOf(configuration, device)).flatMap(({ path, values }) =>
    [...(values.get(`ipv${family}`) ?? [])].flatMap(
      ([key, value]): Found => (/^address\d*$/.test(key) ? [[value.split(',')[0] ?? '', path]] : []),
    ),
  );
}

async function fromIfupdown(configuration: Configuration, device: GatewayDevice, family: 4 | 6): Promise<Found> {
  return (await readStanzas(configuration))
    .filter((stanza) => stanza.device === device.name && stanza.family === family && stanza.method === 'static')
    .flatMap(({ path, options }): Found => {
      const value = (name: string): string | undefined => options.find(([key]) => key === name)?.[1];
      const address = value('address');
      if (address === undefined) return [];
      return [[address.includes('/') ? address : `${address}/${lengthOf(value('netmask')) ?? ''}`, path]];
    });
}

/** `64`, or `255.255.255.0` as a length. */
function lengthOf(netmask: string | undefined): number | undefined {
  if (netmask === undefined) return undefined;
  if (/^\d+$/.test(netmask)) return Number(netmask);
  const bits = netmask
    .split('.')
    .map((byte) => Number(byte).toString(2).padStart(8, '0'))
    .join('');
  return /^1*0*$/.test(bits) && bits.length === 32 ? bits.replaceAll('0', '').length : undefined;
}
