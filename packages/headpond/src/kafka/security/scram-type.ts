import type { ScramMechanism } from '../../security/scram.ts'

/** The numbers that stand for mechanisms in requests of administration. */
const TYPES: ReadonlyMap<number, ScramMechanism> = new Map([
  [1, 'SCRAM-SHA-256'],
  [2, 'SCRAM-SHA-512'],
])

export function mechanismOfType(type: number): ScramMechanism | undefined {
  return TYPES.get(type)
}

export function typeOfMechanism(mechanism: ScramMechanism): number {
  return mechanism === 'SCRAM-SHA-256' ? 1 : 2
}
