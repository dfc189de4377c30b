/** docs/kafka-settings.md says what the tables of settings say, and which of them the code reads. `UPDATE=1` rewrites it. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { brokerSettings } from '#src/kafka/broker-settings.ts'
import { topicSettings } from '#src/log/topic-config.ts'

const PAGE = fileURLToPath(new URL('../../../../../docs/kafka-settings.md', import.meta.url))
const SOURCES = fileURLToPath(new URL('../../../src/', import.meta.url))

/** The broker's settings that the code asks for by name, and those that topics follow. */
function namesThatAct(): Set<string> {
  const names = new Set<string>()
  for (const file of readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue
    const text = readFileSync(join(SOURCES, file), 'utf8')
    for (const [, name] of text.matchAll(
      /\b(?:integer|boolean|text|list|kafka\.get|ofListener(?:Alone)?)\(\s*(?:name,\s*)?'([a-z0-9]+(?:\.[a-z0-9]+)+)'/g,
    ))
      names.add(name)
    for (const [, name] of text.matchAll(/\bkafka\.get\('([a-z]+)'\)/g)) names.add(name)
  }
  for (const { acts, brokerSetting, coarserBrokerSettings = [] } of topicSettings) {
    if (!acts || brokerSetting === undefined) continue
    for (const name of [brokerSetting, ...coarserBrokerSettings.map((coarser) => coarser.name)]) names.add(name)
  }
  return names
}

function row({ name, default: text, summary }: { name: string; default: string | null; summary: string }): string {
  return `| \`${name}\` | ${text === null || text === '' ? '' : `\`${text}\``} | ${summary} |`
}

function namesOf(settings: readonly { readonly name: string }[]): string {
  return settings.map(({ name }) => `\`${name}\``).join(', ')
}

/** @param acting the broker's settings that it says do something */
function page(acting: ReadonlySet<string>): string {
  const head = ['| Setting | Default | What it says |', '| --- | --- | --- |']
  return `${[
    '# Settings of Kafka',
    '',
    'All settings that Apache Kafka 4 documents for topics and brokers can be set and described; [Kafka](kafka.md) says where. Those',
    'below act. The others speak of what Headpond has not (threads, replicas, remote storage, Java classes): they are checked,',
    'kept and shown, and do nothing. A name that Kafka does not know is refused for a topic and for `CONFIG SET`, and told of in',
    'the log at the start.',
    '',
    '## Topics',
    '',
    ...head,
    ...topicSettings.filter(({ acts }) => acts).map(row),
    '',
    `Without effect: ${namesOf(topicSettings.filter(({ acts }) => !acts))}.`,
    '',
    '## Brokers',
    '',
    'Behind `kafka.` in `headpond.conf`, flags, variables and `CONFIG SET`; under their names in Kafka’s own tools.',
    '',
    ...head,
    ...brokerSettings.filter(({ name }) => acting.has(name)).map(row),
    '',
    `Without effect: ${namesOf(brokerSettings.filter(({ name }) => !acting.has(name)))}.`,
  ].join('\n')}\n`
}

test('the page of settings says what the tables say, and promises no effect that there is not', () => {
  if (process.env.UPDATE) writeFileSync(PAGE, page(namesThatAct()))
  const text = readFileSync(PAGE, 'utf8')
  const ofBrokers = text.slice(text.indexOf('## Brokers'))
  const promised = new Set(Array.from(ofBrokers.matchAll(/^\| `([^`]+)`/gm), ([, name]) => name))
  const acting = namesThatAct()
  assert.deepEqual(
    [...promised].filter((name) => !acting.has(name)),
    [],
  )
  assert.equal(text, page(promised))
})

test('nothing asks for a setting that there is not', () => {
  const known = new Set(brokerSettings.map(({ name }) => name))
  assert.deepEqual(
    [...namesThatAct()].filter((name) => !known.has(name)),
    [],
  )
})
