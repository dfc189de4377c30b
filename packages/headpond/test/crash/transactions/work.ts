/** What is to be done exactly once: records of one topic become records of two others. */
export const INPUT = 'orders'
export const INPUT_PARTITIONS = 4
export const RECEIPTS = 'receipts'
export const RECEIPT_PARTITIONS = 3
export const AUDIT = 'audit'
export const GROUP = 'movers'
export const TRANSACTIONAL_ID = 'mover'

/** How a mover speaks of its transactions: as all clients did, or each with an epoch of its own (KIP-890). */
export type MoverKind = 'kafkajs' | 'epochs'

/** What a mover is told in its environment, as JSON. */
export interface MoverOrders {
  readonly address: string
  readonly seed: number
  readonly chunkMax: number
}

export interface Produced {
  readonly topic: string
  readonly partition: number
  readonly value: string
}

export function inputValue(partition: number, number: number): string {
  return `${partition}:${number}:${'x'.repeat((number * 7) % 90)}`
}

/** One record becomes none, one or two, in partitions where those of other partitions come too. */
export function transform(value: string): Produced[] {
  const [partition, number, padding] = value.split(':')
  const made = `${partition}:${number}:${padding.length}`
  const produced: Produced[] = []
  if (Number(number) % 7 !== 0)
    produced.push({ topic: RECEIPTS, partition: Number(number) % RECEIPT_PARTITIONS, value: made })
  if (Number(number) % 5 === 0) produced.push({ topic: AUDIT, partition: 0, value: made })
  return produced
}
