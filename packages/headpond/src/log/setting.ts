/**
 * A setting of Kafka's: of a topic (log/topic-config.ts), a broker (kafka/broker-config.ts), a group. Values are text on
 * the wire, on disk and in files; a setting's type says which texts are values, what they mean, and how they are shown.
 * The words of a refusal are Kafka's, because people search for them and clients match on them.
 */

/** Kafka's names of types, which DescribeConfigs tells. */
export type SettingType = 'BOOLEAN' | 'STRING' | 'INT' | 'SHORT' | 'LONG' | 'DOUBLE' | 'LIST' | 'CLASS' | 'PASSWORD'

/** Numbers of 64 bits lose their low bits; the largest, Kafka's "never" and "no limit", is Infinity. */
export type SettingValue = boolean | string | number | readonly string[] | null

export interface Setting {
  readonly name: string
  readonly type: SettingType
  /** As it would stand in a file; null: no value. */
  readonly default: string | null
  readonly min?: number
  readonly max?: number
  /** The only values there are; of a list: of its elements. */
  readonly oneOf?: readonly string[]
  /** `oneOf` does not mind upper and lower case. */
  readonly ignoresCase?: true
  /** What the type and the limits above do not say: Kafka's text for a bad value, or undefined for a good one. */
  readonly check?: (value: string) => string | undefined
  /** In a refusal of `check` a list stands as Java prints one: `[a, b]`. */
  readonly showsListsAsJava?: true
  readonly summary: string
}

export type ReadSetting = { readonly value: SettingValue } | { readonly refusal: string }

const LONG_MAX = 2n ** 63n - 1n
const INTEGER_LIMITS: Readonly<Partial<Record<SettingType, readonly [min: bigint, max: bigint]>>> = {
  SHORT: [-(2n ** 15n), 2n ** 15n - 1n],
  INT: [-(2n ** 31n), 2n ** 31n - 1n],
  LONG: [-(2n ** 63n), LONG_MAX],
}

/** What a text means as the value of a setting, or why it is none. */
export function readSetting(setting: Setting, text: string | null): ReadSetting {
  const parsed = parse(setting, text)
  if ('refusal' in parsed) return parsed
  const problem = problemOf(setting, parsed.value, parsed.shown)
  return problem === undefined ? { value: parsed.value } : refuse(setting, problem.value, problem.reason)
}

/** The value of a text that `readSetting` has accepted before. */
export function settingValue(setting: Setting, text: string | null): SettingValue {
  const read = readSetting(setting, text)
  if ('refusal' in read) throw new Error(read.refusal)
  return read.value
}

/** A value as DescribeConfigs shows it: ` 010 ` of an INT is `10`. */
export function showSetting(setting: Setting, text: string | null): string | null {
  const parsed = parse(setting, text)
  return 'refusal' in parsed ? text : parsed.shown
}

function refuse(setting: Setting, value: string | null, reason: string): { refusal: string } {
  return { refusal: `Invalid value ${value} for configuration ${setting.name}: ${reason}` }
}

function parse(
  setting: Setting,
  text: string | null,
): { value: SettingValue; shown: string | null } | { refusal: string } {
  if (text === null) return { value: null, shown: null }
  const trimmed = text.trim()
  switch (setting.type) {
    case 'BOOLEAN': {
      const word = trimmed.toLowerCase()
      if (word !== 'true' && word !== 'false') return refuse(setting, text, 'Expected value to be either true or false')
      return { value: word === 'true', shown: word }
    }
    case 'SHORT':
    case 'INT':
    case 'LONG': {
      const [min, max] = INTEGER_LIMITS[setting.type]!
      const exact = /^[+-]?[0-9]{1,40}$/.test(trimmed) ? BigInt(trimmed.replace('+', '')) : undefined
      if (exact === undefined || exact < min || exact > max) {
        return refuse(setting, text, `Not a number of type ${setting.type}`)
      }
      const isNever = setting.type === 'LONG' && exact === LONG_MAX
      return { value: isNever ? Number.POSITIVE_INFINITY : Number(exact), shown: String(exact) }
    }
    case 'DOUBLE': {
      const isNumber = /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?[df]?$/i.test(trimmed)
      if (!isNumber) return refuse(setting, text, 'Not a number of type DOUBLE')
      const value = Number.parseFloat(trimmed)
      return { value, shown: showDouble(value) }
    }
    case 'LIST': {
      const elements = trimmed === '' ? [] : trimmed.split(/\s*,\s*/)
      return { value: elements, shown: elements.join(',') }
    }
    case 'STRING':
    case 'CLASS':
    case 'PASSWORD':
      return { value: trimmed, shown: trimmed }
  }
}

/** As Java shows a double. */
function showDouble(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  const size = Math.abs(value)
  if (value !== 0 && (size < 1e-3 || size >= 1e7)) {
    const [digits, exponent] = value.toExponential().split('e')
    return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`
  }
  return Number.isInteger(value) ? `${value}.0` : String(value)
}

/** What is wrong with a value that has the right type. */
function problemOf(
  setting: Setting,
  value: SettingValue,
  shown: string | null,
): { value: string | null; reason: string } | undefined {
  if (value === null) {
    const hasLimits = setting.oneOf !== undefined || setting.min !== undefined || setting.max !== undefined
    return hasLimits && setting.default !== null ? { value: null, reason: 'Value must be non-null' } : undefined
  }
  if (typeof value === 'number') {
    if (setting.min !== undefined && value < setting.min) {
      return { value: shown, reason: `Value must be at least ${setting.min}` }
    }
    if (setting.max !== undefined && value > setting.max) {
      return { value: shown, reason: `Value must be no more than ${setting.max}` }
    }
  }
  const { oneOf } = setting
  if (oneOf !== undefined && (typeof value === 'string' || Array.isArray(value))) {
    const stranger = [value].flat().find((word: string) => !isOneOf(oneOf, word, setting.ignoresCase === true))
    if (stranger !== undefined) {
      const how = setting.ignoresCase ? ' (case insensitive)' : ''
      return { value: stranger, reason: `String must be one of${how}: ${oneOf.join(', ')}` }
    }
  }
  const reason = setting.check?.(shown!)
  if (reason === undefined) return undefined
  return { value: setting.showsListsAsJava ? `[${(value as readonly string[]).join(', ')}]` : shown, reason }
}

function isOneOf(words: readonly string[], word: string, ignoresCase: boolean): boolean {
  return words.includes(word) || (ignoresCase && words.some((known) => known.toLowerCase() === word.toLowerCase()))
}
