import { type Flag, flags } from './flags.ts'
import { defaultPlan, exitCode, LaunchError, type LaunchPlan } from './launch-plan.ts'

/** What a command line asks for: to start, or to tell something and end. */
export type Request = { readonly show: 'help' | 'license' | 'version' } | { readonly start: LaunchPlan }

const ILLEGAL = 'Illegal argument "?"'
const SHOWN = { h: 'help', i: 'license', V: 'version' } as const
const SHOWN_LONG = { help: 'help', license: 'license', version: 'version' } as const

/**
 * Reads a command line as getopt_long does: flags together (-vv, -p11211), long ones cut short as long as it is clear which
 * is meant, `--` as the end. Throws LaunchError.
 */
export function parseCommandLine(argv: readonly string[]): Request {
  const plan = defaultPlan()
  let index = 0
  const next = (problem: string): string => {
    if (index === argv.length) throw new LaunchError(`memcached: ${problem}\n${ILLEGAL}`)
    return argv[index++]
  }
  while (index < argv.length) {
    const word = argv[index++]
    if (word === '--' && index === argv.length) break
    if (!word.startsWith('-') || word === '-' || word === '--') throw unexpected(word === '--' ? argv[index] : word)
    if (word.startsWith('--')) {
      const equals = word.indexOf('=')
      const name = word.slice(2, equals < 0 ? undefined : equals)
      const value = equals < 0 ? undefined : word.slice(equals + 1)
      const long = longNamed(name)
      if (long in SHOWN_LONG) return { show: SHOWN_LONG[long as keyof typeof SHOWN_LONG] }
      const flag = flags.find((each) => each.long === long)!
      if (flag.argument !== undefined) flag.apply(plan, value ?? next(`option '--${long}' requires an argument`))
      else if (value === undefined || long === 'verbose') flag.apply(plan, '')
      else throw new LaunchError(`memcached: option '--${long}' doesn't allow an argument\n${ILLEGAL}`)
      continue
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]
      if (letter in SHOWN) return { show: SHOWN[letter as keyof typeof SHOWN] }
      const flag = flags.find((each) => each.short === letter)
      if (flag === undefined) throw new LaunchError(`memcached: invalid option -- '${letter}'\n${ILLEGAL}`)
      if (flag.argument === undefined) {
        flag.apply(plan, '')
        continue
      }
      const rest = word.slice(at + 1)
      flag.apply(plan, rest !== '' ? rest : next(`option requires an argument -- '${letter}'`))
      break
    }
  }
  check(plan)
  return { start: plan }
}

/** memcached passes over words that are no flags; somebody who wrote one meant something. */
function unexpected(word: string): LaunchError {
  return new LaunchError(`Unexpected argument "${word}": flags alone are taken, see -h`, exitCode.USAGE)
}

function longNamed(name: string): string {
  const names = [...Object.keys(SHOWN_LONG), ...flags.map(({ long }: Flag) => long ?? '').filter((long) => long !== '')]
  if (names.includes(name)) return name
  const candidates = names.filter((each) => each.startsWith(name))
  if (name === '' || candidates.length === 0)
    throw new LaunchError(`memcached: unrecognized option '--${name}'\n${ILLEGAL}`)
  if (candidates.length > 1) {
    const possibilities = candidates.map((each) => `'--${each}'`).join(' ')
    throw new LaunchError(`memcached: option '--${name}' is ambiguous; possibilities: ${possibilities}\n${ILLEGAL}`)
  }
  return candidates[0]
}

const SLAB_PAGE_BYTES = 2 ** 20
const ITEM_BYTES_MIN = 1024
const ITEM_BYTES_MAX = 2 ** 30
const PORT_MAX = 65535

/** What flags must not say together, in memcached's order. */
function check(plan: LaunchPlan): void {
  const refuse = (message: string) => {
    throw new LaunchError(message, exitCode.USAGE)
  }
  const { itemBytesMax, slabChunkBytesMax } = plan
  if (itemBytesMax < ITEM_BYTES_MIN) refuse('Item max size cannot be less than 1024 bytes.')
  if (itemBytesMax > plan.memoryBytes / 2) refuse('Cannot set item size limit higher than 1/2 of memory max.')
  if (itemBytesMax > ITEM_BYTES_MAX) refuse('Cannot set item size limit higher than a gigabyte.')
  // There are no slabs that a smaller -I would not fit: only who sets both is told.
  if (plan.hasSlabChunkFlag) {
    if (slabChunkBytesMax > itemBytesMax) {
      refuse(`slab_chunk_max (bytes: ${slabChunkBytesMax}) cannot be larger than -I (item_size_max ${itemBytesMax})`)
    }
    if (itemBytesMax % slabChunkBytesMax !== 0) {
      refuse(
        `-I (item_size_max: ${itemBytesMax}) must be evenly divisible by slab_chunk_max (bytes: ${slabChunkBytesMax})`,
      )
    }
    if (SLAB_PAGE_BYTES % slabChunkBytesMax !== 0) {
      refuse(`slab_chunk_max (bytes: ${slabChunkBytesMax}) must divide evenly into ${SLAB_PAGE_BYTES} (slab_page_size)`)
    }
  }
  if (plan.hotPercent + plan.warmPercent > 80) refuse('hot_lru_pct + warm_lru_pct cannot be more than 80% combined')
  if (plan.hasTemporaryTtl && !plan.hasMaintainer) refuse('temporary_ttl requires lru_maintainer to be enabled')
  if (plan.sasl) {
    if (!plan.hasProtocolFlag) plan.protocol = 'binary'
    else if (plan.protocol !== 'binary') refuse('ERROR: You cannot allow the ASCII protocol while using SASL.')
    if (plan.udpPort !== 0) refuse('ERROR: Cannot enable UDP while using binary SASL authentication.')
  }
  if (plan.authFile !== '') {
    if (!plan.hasProtocolFlag) plan.protocol = 'ascii'
    else if (plan.protocol !== 'ascii') {
      refuse('ERROR: You cannot allow the BINARY protocol while using ascii authentication tokens.')
    }
    if (plan.udpPort !== 0) refuse('Cannot use UDP with ascii authentication enabled (-U 0 to disable)')
  }
  if (plan.port > PORT_MAX || plan.port < -1) refuse(`ERROR: Invalid port number ${plan.port}.`)
  if (plan.udpPort !== 0) {
    plan.warnings.push(`warning: -U ${plan.udpPort}: there is no UDP here; clients are served over TCP alone.`)
    if (!plan.hasPortFlag && plan.udpPort > 0 && plan.udpPort <= PORT_MAX) plan.port = plan.udpPort
  }
  if (plan.isEncrypted) {
    if (plan.port === 0) refuse('ERROR: You cannot enable SSL without a TCP port.')
    if (plan.certificateFile === '')
      refuse('Error loading the certificate chain: -o ssl_chain_cert=<file> is not given')
    if (plan.clientCertificates === 'yes' && plan.authorityFile === '') {
      refuse('ssl_verify_mode: no authority to check the certificates of clients with: give -o ssl_ca_cert=<file>')
    }
  }
  if (plan.port === 0 && plan.unixSocket === '' && plan.listen.length === 0) {
    plan.warnings.push('warning: there is nothing to listen on (-p 0 without -s).')
  }
}
