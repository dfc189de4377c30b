// Runs one throughput line against Headpond under V8's sampling profiler and prints where the time goes (or, with
// --heap, what allocates): by function, by line, and by kind of work.

import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { HeapProfiler, Profiler, Runtime } from 'node:inspector'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { aclLines } from './acl.ts'
import { Fill } from './fixtures.ts'
import { lineMatches, type ProfileOptions, UsageError } from './options.ts'
import type { HookReply, HookRequest } from './profile-hook.ts'
import { calibrate, requireRedisBenchmark, runRedisBenchmark } from './redis-benchmark.ts'
import { alignedTable } from './report.ts'
import { scriptingLines } from './scripting.ts'
import { nodeVersion, ServerProcess, specFor } from './servers.ts'
import { stringLines } from './throughput.ts'
import { typeLines } from './types.ts'

const lines = [...stringLines, ...typeLines, ...scriptingLines, ...aclLines]

const pollKind = 'poll'
const waitKind = 'waiting'

/** The part of a run that a function, a line or a kind of work answers for: microseconds or bytes. */
interface Share {
  name: string
  self: number
  /** With everything it called; absent where it has no meaning. */
  total?: number
}

export async function profile(options: ProfileOptions, progress: (text: string) => void): Promise<string> {
  await requireRedisBenchmark()
  const line = lines.find(({ name }) => lineMatches(name, options.lineWords))
  if (!line) {
    throw new UsageError(
      `no line "${options.lineWords.join(' ')}": there are ${lines.map(({ name }) => name).join(', ')}`,
    )
  }
  if (!options.headpondCommand.includes('{node}')) {
    throw new UsageError('profile works inside Node: --headpond-command must say {node} where the Node binary goes')
  }
  const hook = new URL('./profile-hook.js', import.meta.url).href
  const spec = await specFor('headpond', options.headpondCommand, options.node, ['--import', hook])
  const server = await ServerProcess.start(spec, { channel: true })
  const directory = mkdtempSync(join(tmpdir(), 'headpond-profile-'))
  const path = join(directory, 'profile.json')
  try {
    progress(`${line.name}: filling, warming up`)
    const fill = new Fill()
    const prepare = () => fill.prepare(server, line)
    await prepare()
    const commandCount = await calibrate(server, line, options.seconds, prepare)
    await prepare()
    const plain = await runRedisBenchmark(server, line, Math.ceil(commandCount / 2))

    progress(`${line.name}: ${commandCount.toLocaleString('en-US')} commands under the profiler`)
    await fill.prepare(server, line)
    await ask(server, { kind: 'begin', heap: options.heap })
    const startedAtMs = performance.now()
    const threadBefore = server.mainThreadMs()
    const result = await runRedisBenchmark(server, line, commandCount)
    const threadAfter = server.mainThreadMs()
    const elapsedMs = performance.now() - startedAtMs
    const reply = await ask(server, { kind: 'end', path })
    if (reply.kind !== 'ended') throw new Error(`unexpected answer "${reply.kind}" from the profiled server`)
    if (options.savePath !== undefined) copyFileSync(path, options.savePath)

    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'))
    const runningMs = threadAfter.running - threadBefore.running
    const runnableMs = threadAfter.runnable - threadBefore.runnable
    const perCommand = (ms: number) => ((ms * 1000) / commandCount).toFixed(3)
    const { collections } = reply
    const collectedMs = collections.reduce((sum, { durationMs }) => sum + durationMs, 0)
    const counts = new Map<string, number>()
    for (const { type } of collections) counts.set(type, (counts.get(type) ?? 0) + 1)
    const kinds = [...counts].map(([type, count]) => `${count} ${type}`).join(', ')
    return [
      `${line.name} on Node ${await nodeVersion(options.node)}`,
      `  ${thousands(result.perSecond)} commands/s profiled, ${thousands(plain.perSecond)} without the profiler, p99 ${plain.p99Ms} ms`,
      `  CPU of the server: user ${perCommand(result.cpuUserMs)} + system ${perCommand(result.cpuSystemMs)} µs/command; ` +
        `its main thread runs ${percent(runningMs, elapsedMs)} of the time and is kept waiting for a CPU ${percent(runnableMs, elapsedMs)}`,
      `  garbage collection: ${collectedMs.toFixed(1)} ms, ${percent(collectedMs, elapsedMs)} of the time (${kinds || 'none'})`,
      '',
      options.heap
        ? heapReport(parsed as HeapProfiler.SamplingHeapProfile, commandCount, options.topCount)
        : cpuReport(parsed as Profiler.Profile, commandCount, (runningMs + runnableMs) / elapsedMs, options.topCount),
    ].join('\n')
  } finally {
    await server.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

function ask(server: ServerProcess, request: HookRequest): Promise<HookReply> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error('the profiled server ended before it answered'))
    server.child.once('exit', onExit)
    server.child.once('message', (reply: HookReply) => {
      server.child.off('exit', onExit)
      if (reply.kind === 'failed') reject(new Error(`the profiler failed: ${reply.message}`))
      else resolve(reply)
    })
    server.child.send(request)
  })
}

function cpuReport(profile: Profiler.Profile, commandCount: number, busyShare: number, topCount: number): string {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const selfUs = new Map<number, number>()
  const { samples = [], timeDeltas = [] } = profile
  // A delta is the time since the sample before: it belongs to what that sample saw.
  for (let i = 0; i + 1 < samples.length; i++) add(selfUs, samples[i], Math.max(0, timeDeltas[i + 1]))

  const kinds = new Map<string, number>()
  const byLine = new Map<string, number>()
  let wholeUs = 0
  for (const [id, us] of selfUs) {
    const node = nodes.get(id)
    if (!node) continue
    wholeUs += us
    add(kinds, kindOf(node.callFrame), us)
    const ticks = node.positionTicks ?? []
    const tickCount = ticks.reduce((sum, tick) => sum + tick.ticks, 0)
    if (!node.callFrame.url) continue
    for (const { line, ticks: count } of ticks) {
      add(byLine, `${place(node.callFrame.url)}:${line}`, (us * count) / tickCount)
    }
  }
  // V8 is told that Node idles from before libuv polls until after: reading from sockets, which happens in between,
  // looks idle too. What the kernel did not see as waiting was reading.
  const pollUs = kinds.get(pollKind) ?? 0
  const waitUs = Math.min(pollUs, Math.max(0, wholeUs * (1 - busyShare)))
  kinds.delete(pollKind)
  kinds.set(waitKind, waitUs)
  kinds.set('reading from sockets (in libuv; from the CPU time)', pollUs - waitUs)
  const busyUs = wholeUs - waitUs
  const functions = byFunction<Profiler.ProfileNode>(
    profile.nodes[0],
    (node) => (node.children ?? []).flatMap((id) => nodes.get(id) ?? []),
    (node) => (kindOf(node.callFrame) === pollKind ? 0 : (selfUs.get(node.id) ?? 0)),
  )

  const nsPerCommand = (us: number) => ((us * 1000) / commandCount).toFixed(0)
  const kindRows = top([...kinds].map(([name, self]) => ({ name, self })))
  const functionRows = top(functions, topCount)
  const lineRows = top(
    [...byLine].map(([name, self]) => ({ name, self })),
    topCount,
  )
  return [
    `Kinds of work (${samples.length} samples; busy is all but waiting)`,
    alignedTable(
      [
        ['kind', 'time', 'busy', 'ns/command'],
        ...kindRows.map(({ name, self }) => [
          name,
          percent(self, wholeUs),
          name === waitKind ? '-' : percent(self, busyUs),
          nsPerCommand(self),
        ]),
      ],
      [0],
    ),
    '',
    'Functions by self time (shares of busy time)',
    alignedTable(
      [
        ['self', 'total', 'ns/command', 'function'],
        ...functionRows.map(({ name, self, total }) => [
          percent(self, busyUs),
          percent(total ?? 0, busyUs),
          nsPerCommand(self),
          name,
        ]),
      ],
      [3],
    ),
    '',
    'Lines by self time, as compiled (inlined calls count where they stand)',
    alignedTable(
      [['self', 'line', 'source'], ...lineRows.map(({ name, self }) => [percent(self, busyUs), name, sourceOf(name)])],
      [1, 2],
    ),
    '',
  ].join('\n')
}

function heapReport(profile: HeapProfiler.SamplingHeapProfile, commandCount: number, topCount: number): string {
  const functions = byFunction<HeapProfiler.SamplingHeapProfileNode>(
    profile.head,
    (node) => node.children,
    (node) => node.selfSize,
  )
  const whole = functions.reduce((sum, { self }) => sum + self, 0)
  return [
    `Allocated in V8's heap: ${(whole / commandCount).toFixed(1)} bytes/command (sampled)`,
    alignedTable(
      [
        ['self', 'total', 'bytes/command', 'function'],
        ...top(functions, topCount).map(({ name, self, total }) => [
          percent(self, whole),
          percent(total ?? 0, whole),
          (self / commandCount).toFixed(2),
          name,
        ]),
      ],
      [3],
    ),
    '',
  ].join('\n')
}

interface CallNode {
  callFrame: Runtime.CallFrame
}

/** Sums the nodes of a call tree by function. Recursion counts once in a function's total. */
function byFunction<Node extends CallNode>(
  root: Node,
  childrenOf: (node: Node) => readonly Node[],
  selfOf: (node: Node) => number,
): Share[] {
  const self = new Map<string, number>()
  const total = new Map<string, number>()
  const open = new Set<string>()
  const visit = (node: Node): number => {
    const name = nameOf(node.callFrame)
    const outermost = !open.has(name)
    open.add(name)
    const own = selfOf(node)
    let sum = own
    for (const child of childrenOf(node)) sum += visit(child)
    add(self, name, own)
    if (outermost) {
      open.delete(name)
      add(total, name, sum)
    }
    return sum
  }
  visit(root)
  return [...self].map(([name, own]) => ({ name, self: own, total: total.get(name) ?? own }))
}

function kindOf({ functionName, url }: Runtime.CallFrame): string {
  if (functionName === '(idle)') return pollKind
  if (functionName === '(garbage collector)') return 'garbage collector'
  // Outside of JavaScript altogether, such as the event loop itself.
  if (functionName === '(program)' || functionName === '(root)') return 'program (event loop)'
  if (url.startsWith('node:')) return "Node's own JavaScript"
  if (url === '') return 'native functions (socket writes, typed arrays)'
  return url.includes('/node_modules/') && !url.includes('/node_modules/headpond/') ? 'dependencies' : 'Headpond'
}

function nameOf({ functionName, url, lineNumber }: Runtime.CallFrame): string {
  const name = functionName || '(anonymous)'
  if (url === '') return name.startsWith('(') ? name : `${name} (native)`
  return `${name}  ${place(url)}:${lineNumber + 1}`
}

function place(url: string): string {
  return url.startsWith('file:') ? relative(process.cwd(), fileURLToPath(url)) : url
}

const sources = new Map<string, string[]>()

function sourceOf(name: string): string {
  const colon = name.lastIndexOf(':')
  const path = name.slice(0, colon)
  let text = sources.get(path)
  if (!text) {
    text = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
    sources.set(path, text)
  }
  return (text[Number(name.slice(colon + 1)) - 1] ?? '').trim().slice(0, 100)
}

function top(shares: Share[], count = shares.length): Share[] {
  return shares
    .filter(({ self }) => self > 0)
    .sort((a, b) => b.self - a.self)
    .slice(0, count)
}

function add<Key>(sums: Map<Key, number>, key: Key, amount: number): void {
  sums.set(key, (sums.get(key) ?? 0) + amount)
}

function percent(part: number, whole: number): string {
  return whole > 0 ? `${((part / whole) * 100).toFixed(1)}%` : '-'
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}
