import type { Consumer } from 'kafkajs'

/** The values of the next `count` records that a consumer of kafkajs is given. */
export function readValues(consumer: Consumer, count: number): Promise<string[]> {
  const values: string[] = []
  return new Promise((resolve, reject) => {
    const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => {
      values.push(String(message.value))
      if (values.length === count) resolve(values)
    }
    consumer.run({ eachMessage }).catch(reject)
  })
}
