/** The name that most vote for; among equals, the one that was voted for first. Undefined without votes. */
export function mostVoted(votes: Iterable<string>): string | undefined {
  const voteCounts = new Map<string, number>()
  for (const name of votes) voteCounts.set(name, (voteCounts.get(name) ?? 0) + 1)
  let elected: string | undefined
  let voteCountMax = 0
  for (const [name, voteCount] of voteCounts) {
    if (voteCount <= voteCountMax) continue
    elected = name
    voteCountMax = voteCount
  }
  return elected
}
