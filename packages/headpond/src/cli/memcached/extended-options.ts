import { LaunchError, type LaunchPlan } from './launch-plan.ts'
import { fraction, leadingInteger, wholeUint32 } from './numbers.ts'

/** What follows `-o`: names with or without a value. */
export interface ExtendedOption {
  readonly name: string
  /** Shown in the help. */
  readonly summary: string
  readonly apply: (plan: LaunchPlan, value: string | undefined) => void
}

const NOTHING = () => {}

/** The value of an option that must have one. */
function needed(value: string | undefined, message: string): string {
  if (value === undefined) throw new LaunchError(message)
  return value
}

function withoutEffect(name: string): ExtendedOption {
  return { name, summary: 'no effect', apply: NOTHING }
}

/** An option without effect whose value is checked and shown in `stats settings`. */
function checked(
  name: string,
  problem: (value: number) => string | undefined,
  options: {
    shownAs?: string
    what?: string
    isFraction?: boolean
    and?: (plan: LaunchPlan, value: number) => void
  } = {},
): ExtendedOption {
  return {
    name,
    summary: 'no effect',
    apply: (plan, text) => {
      const given = needed(text, `Missing ${options.what ?? `${name} argument`}`)
      const value = options.isFraction ? fraction(given) : leadingInteger(given)
      const found = problem(value)
      if (found !== undefined) throw new LaunchError(found)
      plan.shown[options.shownAs ?? name] = options.isFraction ? value.toFixed(2) : String(value)
      options.and?.(plan, value)
    },
  }
}

/** An option that is a size in kilobytes or megabytes, without effect. */
function buffer(name: string, unitBytes: number): ExtendedOption {
  return {
    name,
    summary: 'no effect',
    apply: (plan, text) => {
      const value = wholeUint32(needed(text, `Missing ${name} argument`))
      if (Number.isNaN(value)) throw new LaunchError(`could not parse argument to ${name}`)
      plan.shown[name] = String(value * unitBytes)
    },
  }
}

function tlsText(name: string, summary: string, key: 'certificateFile' | 'keyFile' | 'authorityFile' | 'ciphers') {
  return {
    name,
    summary,
    apply: (plan: LaunchPlan, text: string | undefined) => {
      plan[key] = needed(text, `Missing ${name} argument`)
    },
  }
}

function tlsNumber(name: string, summary: string, apply: (plan: LaunchPlan, value: number) => boolean): ExtendedOption {
  return {
    name,
    summary,
    apply: (plan, text) => {
      const value = wholeUint32(needed(text, `Missing ${name} argument`))
      if (Number.isNaN(value)) throw new LaunchError(`could not parse argument to ${name}`)
      if (!apply(plan, value)) throw new LaunchError(`Invalid ${name}. Use help to see valid options.`)
    },
  }
}

const VERIFY_MODES = ['no', 'optional', 'yes', 'yes'] as const

export const extendedOptions: readonly ExtendedOption[] = [
  {
    name: 'idle_timeout',
    summary: 'timeout for idle connections in seconds (default: 0, no timeout)',
    apply: (plan, text) => {
      const seconds = leadingInteger(needed(text, 'Missing numeric argument for idle_timeout'))
      plan.idleSeconds = Math.max(0, seconds)
    },
  },
  {
    name: 'track_sizes',
    summary: 'enable dynamic reports for "stats sizes" command',
    apply: (plan) => {
      plan.tracksSizes = true
    },
  },
  tlsText('ssl_chain_cert', 'certificate chain file in PEM format', 'certificateFile'),
  tlsText('ssl_key', 'private key, if not part of the -ssl_chain_cert', 'keyFile'),
  {
    name: 'ssl_keyformat',
    summary: 'private key format: PEM alone',
    apply: (_plan, text) => {
      const format = needed(text, 'Missing ssl_keyformat argument')
      if (format !== '1' && format !== 'PEM') throw new LaunchError('ssl_keyformat: keys are read in PEM alone')
    },
  },
  tlsNumber(
    'ssl_verify_mode',
    'client certificates: 0 (none, default), 1 (request), 2 or 3 (require)',
    (plan, value) => {
      const mode = VERIFY_MODES[value]
      if (mode === undefined) return false
      plan.clientCertificates = mode
      return true
    },
  ),
  tlsText('ssl_ciphers', 'specify cipher list to be used', 'ciphers'),
  tlsText('ssl_ca_cert', "PEM format file of acceptable client CA's", 'authorityFile'),
  buffer('ssl_wbuf_size', 1024),
  {
    name: 'ssl_session_cache',
    summary: 'enable session resumption',
    apply: (plan) => {
      plan.hasTlsSessionCache = true
    },
  },
  {
    name: 'ssl_kernel_tls',
    summary: 'not possible here: refused',
    apply: () => {
      throw new LaunchError('Kernel TLS offload is not available')
    },
  },
  tlsNumber('ssl_min_version', 'oldest version: 0 (1.0), 1 (1.1), 2 (1.2, default) or 3 (1.3)', (plan, value) => {
    if (value > 3) return false
    plan.tlsVersionMin = value
    return true
  }),
  withoutEffect('maxconns_fast'),
  withoutEffect('no_maxconns_fast'),
  checked(
    'hashpower',
    (value) =>
      value < 12
        ? `Initial hashtable multiplier of ${value} is too low`
        : value > 32
          ? `Initial hashtable multiplier of ${value} is too high\nChoose a value based on "STAT hash_power_level" from a running instance`
          : undefined,
    { shownAs: 'hashpower_init', what: 'numeric argument for hashpower' },
  ),
  withoutEffect('no_hashexpand'),
  {
    name: 'slab_reassign',
    summary: 'no effect',
    apply: (plan) => {
      plan.hasReassign = true
    },
  },
  {
    name: 'no_slab_reassign',
    summary: 'refuses "slabs reassign", which has no effect',
    apply: (plan) => {
      plan.hasReassign = false
    },
  },
  {
    name: 'slab_automove',
    summary: 'no effect',
    apply: (plan, text) => {
      const level = text === undefined ? 1 : leadingInteger(text)
      if (level < 0 || level > 2) throw new LaunchError('slab_automove must be between 0 and 2')
      plan.shown['slab_automove'] = String(level)
    },
  },
  withoutEffect('no_slab_automove'),
  checked(
    'slab_automove_ratio',
    (value) => (value <= 0 || value > 1 ? 'slab_automove_ratio must be > 0 and < 1' : undefined),
    { isFraction: true },
  ),
  checked('slab_automove_window', (value) => (value < 3 ? 'slab_automove_window must be > 2' : undefined)),
  checked(
    'tail_repair_time',
    (value) => (value < 10 ? 'Cannot set tail_repair_time to less than 10 seconds' : undefined),
    { what: 'numeric argument for tail_repair_time' },
  ),
  {
    name: 'hash_algorithm',
    summary: 'no effect: keys are hashed with HalfSipHash',
    apply: (_plan, text) => {
      const name = needed(text, 'Missing hash_algorithm argument')
      if (name !== 'jenkins' && name !== 'murmur3' && name !== 'xxh3') {
        throw new LaunchError('Unknown hash_algorithm option (jenkins, murmur3, xxh3)')
      }
    },
  },
  {
    name: 'lru_crawler',
    summary: 'no effect',
    apply: (plan) => {
      plan.hasCrawler = true
    },
  },
  {
    name: 'no_lru_crawler',
    summary: 'no effect',
    apply: (plan) => {
      plan.hasCrawler = false
    },
  },
  checked(
    'lru_crawler_sleep',
    (value) => (value < 0 || value > 1_000_000 ? 'LRU crawler sleep must be between 0 and 1 second' : undefined),
    { what: 'lru_crawler_sleep value' },
  ),
  {
    name: 'lru_crawler_tocrawl',
    summary: 'no effect',
    apply: (plan, text) => {
      const value = wholeUint32(needed(text, 'Missing lru_crawler_tocrawl value'))
      if (Number.isNaN(value)) throw new LaunchError('lru_crawler_tocrawl takes a numeric 32bit value')
      plan.shown['lru_crawler_tocrawl'] = String(value)
    },
  },
  {
    name: 'lru_maintainer',
    summary: 'no effect',
    apply: (plan) => {
      plan.hasMaintainer = true
    },
  },
  {
    name: 'no_lru_maintainer',
    summary: 'no effect',
    apply: (plan) => {
      plan.hasMaintainer = false
    },
  },
  checked('hot_lru_pct', (value) => (value < 1 || value >= 80 ? 'hot_lru_pct must be > 1 and < 80' : undefined), {
    and: (plan, value) => {
      plan.hotPercent = value
    },
  }),
  checked('warm_lru_pct', (value) => (value < 1 || value >= 80 ? 'warm_lru_pct must be > 1 and < 80' : undefined), {
    and: (plan, value) => {
      plan.warmPercent = value
    },
  }),
  checked('hot_max_factor', (value) => (value <= 0 ? 'hot_max_factor must be > 0' : undefined), { isFraction: true }),
  checked('warm_max_factor', (value) => (value <= 0 ? 'warm_max_factor must be > 0' : undefined), { isFraction: true }),
  checked('temporary_ttl', () => undefined, {
    and: (plan) => {
      plan.hasTemporaryTtl = true
      plan.shown['temp_lru'] = 'yes'
    },
  }),
  buffer('watcher_logbuf_size', 1024),
  buffer('worker_logbuf_size', 1024),
  buffer('read_buf_mem_limit', 2 ** 20),
  {
    name: 'resp_obj_mem_limit',
    summary: 'deprecated, no effect',
    apply: (plan) => {
      plan.warnings.push('DEPRECATED: resp_obj_mem_limit no longer used. See read_buf_mem_limit,')
    },
  },
  {
    name: 'slab_sizes',
    summary: 'no effect',
    apply: (_plan, text) => {
      needed(text, 'Missing slab_sizes argument')
    },
  },
  {
    name: 'slab_chunk_max',
    summary: 'no effect, but checked against -I',
    apply: (plan, text) => {
      const sizeBytes = wholeUint32(needed(text, 'Missing slab_chunk_max argument'))
      if (Number.isNaN(sizeBytes) || sizeBytes === 0)
        throw new LaunchError('could not parse argument to slab_chunk_max')
      plan.slabChunkBytesMax = sizeBytes
      plan.hasSlabChunkFlag = true
      plan.shown['slab_chunk_max'] = String(sizeBytes)
    },
  },
  withoutEffect('no_chunked_items'),
  withoutEffect('inline_ascii_resp'),
  withoutEffect('no_inline_ascii_resp'),
  withoutEffect('modern'),
  {
    name: 'no_modern',
    summary: 'no effect',
    apply: (plan) => {
      plan.hasReassign = false
      plan.hasMaintainer = false
      plan.hasCrawler = false
    },
  },
  withoutEffect('drop_privileges'),
  withoutEffect('no_drop_privileges'),
  {
    name: 'relaxed_privileges',
    summary: "as in memcached's debug build, which alone has it: allows the command debugtime",
    apply: (plan) => {
      plan.isDebug = true
    },
  },
]

/** `name[=value][,name[=value]] ...`, as getsubopt reads it. */
export function applySuboptions(plan: LaunchPlan, list: string): void {
  let rest = list
  while (rest !== '') {
    const whole = rest
    const comma = rest.indexOf(',')
    const word = comma < 0 ? rest : rest.slice(0, comma)
    rest = comma < 0 ? '' : rest.slice(comma + 1)
    const equals = word.indexOf('=')
    const name = equals < 0 ? word : word.slice(0, equals)
    const option = extendedOptions.find((each) => each.name === name)
    if (option === undefined) throw new LaunchError(`Illegal suboption "${whole}"`)
    option.apply(plan, equals < 0 ? undefined : word.slice(equals + 1))
  }
}
