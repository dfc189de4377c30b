#!/usr/bin/env node
// Side-by-side benchmarks. Nothing here is a test: the exit code tells whether it ran, the tables tell how it went.

import { writeFileSync } from 'node:fs'
import { measureAcl } from './acl.ts'
import { measureAppendOnly } from './append-only.ts'
import { measureEviction } from './eviction/eviction.ts'
import { measureFewConnections } from './few-connections.ts'
import { measureKafka } from './kafka/kafka.ts'
import { measureLargeValues } from './large-values.ts'
import { measureMemcached } from './memcached/memcached.ts'
import { measureMemory } from './memory.ts'
import { measureMemoryOfTypes } from './memory-types.ts'
import {
  type EvictionOptions,
  type KafkaBenchOptions,
  parseOptions,
  type RespOptions,
  type Suite,
  UsageError,
  usage,
} from './options.ts'
import { measurePauses } from './pauses.ts'
import { measurePersistence } from './persistence.ts'
import { profile } from './profile.ts'
import { describeServers, Report, thisMachine } from './report.ts'
import { measureScripting } from './scripting.ts'
import { isInstalled, nodeVersion, type ServerSpec, specFor } from './servers.ts'
import { measureStart } from './start.ts'
import { measureThroughput } from './throughput.ts'
import { measureTypes } from './types.ts'
import { measureValueSizes } from './value-sizes.ts'

const runners: Record<Suite, typeof measureThroughput> = {
  throughput: measureThroughput,
  types: measureTypes,
  connections: measureFewConnections,
  'value-sizes': measureValueSizes,
  scripting: measureScripting,
  acl: measureAcl,
  memory: measureMemory,
  'memory-types': measureMemoryOfTypes,
  pauses: measurePauses,
  start: measureStart,
  persistence: measurePersistence,
  'large-values': measureLargeValues,
  'append-only': measureAppendOnly,
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`)
}

async function compare(options: RespOptions): Promise<void> {
  const machine = thisMachine()
  const headpond = await specFor('headpond', options.headpondCommand, options.node)
  const specs: ServerSpec[] = [headpond]
  const redis = await specFor('redis', options.redisCommand, options.node)
  if (await isInstalled(redis.command[0])) specs.unshift(redis)
  else progress(`${redis.command[0]} is not installed: Headpond is measured alone, without ratios`)

  const report = new Report()
  const failures: string[] = []
  for (const suite of options.suites) {
    progress(`== ${suite}`)
    try {
      await runners[suite](specs, options, report, progress)
    } catch (error) {
      // The figures of the other suites are worth having all the same.
      failures.push(`${suite}: ${(error as Error).message}`)
      progress(`${suite} failed: ${(error as Error).message}`)
    }
  }

  const described = { ...machine, ...describeServers(specs, await nodeVersion(options.node)) }
  const text = report.toText(described) + failures.map((failure) => `failed: ${failure}\n`).join('')
  if (options.jsonPath === '-') {
    process.stderr.write(text)
    process.stdout.write(report.toJson(described))
  } else {
    process.stdout.write(`\n${text}`)
    if (options.jsonPath !== undefined) writeFileSync(options.jsonPath, report.toJson(described))
  }
  if (failures.length > 0) process.exitCode = 1
}

async function replayTraces(options: EvictionOptions): Promise<void> {
  const { text, svg, results } = await measureEviction(options, progress)
  const json = JSON.stringify({ machine: thisMachine(), results }, null, 2)
  writeFileSync(options.svgPath, svg)
  if (options.jsonPath === '-') {
    process.stderr.write(text)
    process.stdout.write(`${json}\n`)
  } else {
    process.stdout.write(`\n${text}\nThe picture is in ${options.svgPath}.\n`)
    if (options.jsonPath !== undefined) writeFileSync(options.jsonPath, `${json}\n`)
  }
}

async function loadBroker(options: KafkaBenchOptions): Promise<void> {
  const { text, lines } = await measureKafka(options, progress)
  const json = `${JSON.stringify({ machine: thisMachine(), lines }, null, 2)}\n`
  if (options.jsonPath === '-') {
    process.stderr.write(text)
    process.stdout.write(json)
  } else {
    process.stdout.write(`\n${text}`)
    if (options.jsonPath !== undefined) writeFileSync(options.jsonPath, json)
  }
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2))
  switch (options.kind) {
    case 'help':
      process.stdout.write(usage)
      return
    case 'resp':
      return compare(options)
    case 'memcached':
      if (!(await isInstalled('memcached'))) throw new Error('memcached is not installed')
      process.stdout.write(`\n${await measureMemcached(options, progress)}`)
      return
    case 'kafka':
      return loadBroker(options)
    case 'eviction':
      return replayTraces(options)
    case 'profile':
      process.stdout.write(await profile(options, progress))
  }
}

try {
  await main()
} catch (error) {
  const isUsage = error instanceof UsageError
  process.stderr.write(
    `bench: ${(error as Error).message}\n${isUsage ? '\n`npm run bench -- --help` tells more.\n' : ''}`,
  )
  process.exitCode = isUsage ? 2 : 1
}
