import { murmur2 } from '../bytes/murmur2.ts'

/** Where Kafka's Java client puts a record with this key: every client that is to find it again agrees. */
export function partitionOfKey(key: Uint8Array, partitionCount: number): number {
  return (murmur2(key) & 0x7fffffff) % partitionCount
}
