/**
 * Java's `String.hashCode`, made positive as Kafka makes it: which partition of an internal topic keeps a group or a
 * transactional id. O(length).
 */
export function javaHash(text: string): number {
  let hash = 0
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  return hash === -0x80000000 ? 0 : Math.abs(hash)
}
