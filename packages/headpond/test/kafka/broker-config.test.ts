/** The broker's settings by themselves: what they are taken for at the start, and by CONFIG SET. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Config } from '#src/config/config.ts'
import { ConfigError } from '#src/config/config-error.ts'
import { BrokerConfig } from '#src/kafka/broker-config.ts'
import { brokerSettings } from '#src/kafka/broker-settings.ts'

function configOf(settings: Readonly<Record<string, string>>): Config {
  return Config.load({ argv: Object.entries(settings).flatMap(([name, text]) => [`--kafka.${name}`, text]) })
}

/** Undefined when the broker would start. */
function refusalAtStart(settings: Readonly<Record<string, string>>): string | undefined {
  try {
    new BrokerConfig(configOf(settings))
    return undefined
  } catch (error) {
    assert.ok(error instanceof ConfigError, `${JSON.stringify(settings)}: ${error}`)
    return error.message
  }
}

test('values that do not go together are refused at the start, with the setting that is wrong', () => {
  const cases = [
    [{ 'log.roll.ms': '0' }, 'kafka.log.roll.ms: log.roll.ms must be greater than or equal to 1.'],
    [
      { 'log.retention.hours': '0' },
      'kafka.log.retention.ms: log.retention.ms must be unlimited (-1) or, greater than or equal to 1.',
    ],
    [
      { 'log.flush.interval.ms': '-2' },
      'kafka.log.flush.interval.ms: Invalid value -2 for configuration flush.ms: Value must be at least 0.',
    ],
    [
      { 'log.cleaner.threads': '128' },
      'kafka.log.cleaner.dedupe.buffer.size: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.',
    ],
  ] as const
  for (const [settings, message] of cases) assert.equal(refusalAtStart(settings), message)
  assert.equal(
    refusalAtStart({ 'max.connections.per.ip': '0', 'max.connections.per.ip.overrides': '127.0.0.1:1' }),
    undefined,
  )
})

test('a broker starts with any value of any setting, or says what is wrong with it', () => {
  const values = ['', '-2', '-1', '0', '0.5', '1', '7', 'true', 'none', 'compact', '2147483647', '9223372036854775807']
  for (const { name } of brokerSettings) {
    for (const value of values) refusalAtStart({ [name]: value })
  }
})

test('CONFIG SET refuses what would not go together, and what there was stays', async () => {
  const config = configOf({})
  const broker = new BrokerConfig(config)
  const refusal = await config.set([['kafka.log.roll.ms', '0']])
  assert.match(String(refusal), /log\.roll\.ms must be greater than or equal to 1$/)
  assert.equal(broker.inForce('log.roll.ms'), null)
  assert.equal(await config.set([['kafka.log.roll.ms', '5']]), undefined)
  assert.equal(broker.logDefaults.segmentMs, 5)
})
