/**
 * The transcripts of administration, played to Apache Kafka's own broker. Each difference is shown; one that is meant has
 * `@differs` or `@only` and its reason before its request.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { call, isReading, parseTranscript, transcripts } from 'headpond/test/kafka/admin/transcript.ts'
import { ApacheKafka, KAFKA_VERSION, kafkaProblem } from './apache-kafka.ts'

const problem = kafkaProblem()
/** The broker hears of a change a moment after the controller has made it. */
const SETTLE_MS = 3_000

for (const name of transcripts.names) {
  test(`${name} against Apache Kafka`, { skip: problem ?? false }, async (t) => {
    const kafka = await ApacheKafka.start()
    const client = await kafka.connect()
    t.after(async () => {
      client.close()
      await kafka.stop()
    })
    const differences: string[] = []
    let comparedCount = 0
    for (const { request, answer, difference } of parseTranscript(transcripts.read(name))) {
      if (difference?.kind === 'only') continue
      let told = await call(client, request)
      const giveUpAtMs = Date.now() + SETTLE_MS
      while (difference === null && told !== answer && isReading(request) && Date.now() < giveUpAtMs) {
        await new Promise((resolve) => setTimeout(resolve, 50))
        told = await call(client, request)
      }
      comparedCount++
      const isEqual = told === answer
      if (difference === null && !isEqual) differences.push(`> ${request}\nKafka:    ${told}\nHeadpond: ${answer}`)
      if (difference !== null && isEqual) differences.push(`> ${request}\nNo difference: ${difference.reason}`)
    }
    t.diagnostic(`${comparedCount} requests compared with Apache Kafka ${KAFKA_VERSION}`)
    assert.ok(differences.length === 0, `\n${differences.join('\n\n')}\n`)
  })
}
