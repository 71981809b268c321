/** Whether what `ip tcp_metrics show ADDRESS` printed holds a round-trip time: with one, the kernel takes the peer for proven (`tcp_peer_is_proven()`). */
export function metricsHaveRtt(output: string): boolean {
  return /\srtt\s+\d/.test(output);
}
