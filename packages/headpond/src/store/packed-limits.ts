import type { Settings } from '../config/directives.ts'

/** How large a value may become before its packed form gives way to the large one: the directives of that purpose. */
export type PackedLimits = Pick<
  Settings,
  | 'hashMaxListpackEntries'
  | 'hashMaxListpackValue'
  | 'listMaxListpackSize'
  | 'setMaxIntsetEntries'
  | 'setMaxListpackEntries'
  | 'setMaxListpackValue'
  | 'zsetMaxListpackEntries'
  | 'zsetMaxListpackValue'
>

/** The directives' defaults, for a store that stands alone. */
export const DEFAULT_PACKED_LIMITS: PackedLimits = {
  hashMaxListpackEntries: 512,
  hashMaxListpackValue: 64,
  listMaxListpackSize: -2,
  setMaxIntsetEntries: 512,
  setMaxListpackEntries: 128,
  setMaxListpackValue: 64,
  zsetMaxListpackEntries: 128,
  zsetMaxListpackValue: 64,
}
