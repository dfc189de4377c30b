/** What a service is told by its environment. A value that cannot be used ends the start with a sentence. */
export type Environment = Readonly<Record<string, string | undefined>>

export function requiredText(env: Environment, name: string): string {
  const value = env[name]
  if (value === undefined || value === '') throw new Error(`${name} is not set`)
  return value
}

/** A whole number of at least 0. */
export function wholeNumber(env: Environment, name: string, byDefault: number): number {
  const value = env[name]
  if (value === undefined || value === '') return byDefault
  if (!/^\d{1,15}$/.test(value)) throw new Error(`${name} must be a whole number, not ${JSON.stringify(value)}`)
  return Number(value)
}

/** `host:port,host:port` as Kafka clients take them. */
export function brokerList(env: Environment): string[] {
  return requiredText(env, 'KAFKA_BROKERS')
    .split(',')
    .map((broker) => broker.trim())
    .filter((broker) => broker !== '')
}
