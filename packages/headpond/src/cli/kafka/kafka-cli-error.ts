/** Why a command cannot be carried out, in words for people. */
export class KafkaCliError extends Error {
  override readonly name: string = 'KafkaCliError'
}

/** The command line itself is wrong: the exit code tells the two apart. */
export class UsageError extends KafkaCliError {
  override readonly name = 'UsageError'
}
