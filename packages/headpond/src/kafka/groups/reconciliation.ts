import {
  type Assignment,
  filterAssignment,
  haveCommon,
  holds,
  joinAssignments,
  NOTHING_ASSIGNED,
} from './assignment.ts'

/**
 * How a member of the new protocol gets from what it has to what it is to have, so that no partition ever has two readers:
 *
 *   stable       it has what it is to have
 *   unrevoked    it has been told to let go of partitions, and has not said that it did; its epoch is the old one
 *   unreleased   it is in the new epoch, and partitions are to come that others have not let go of
 */
export type MemberState = 'stable' | 'unrevoked' | 'unreleased'

export interface Standing {
  readonly state: MemberState
  readonly memberEpoch: number
  readonly previousMemberEpoch: number
  /** What it may read now. */
  readonly assigned: Assignment
  /** What it must let go of, and may still be reading. */
  readonly pendingRevocation: Assignment
}

export interface Goal {
  readonly epoch: number
  readonly assignment: Assignment
  /** Somebody reads the partition, or has not said that it stopped; this member may be the one. */
  isHeld(topicId: string, partition: number): boolean
}

/** @param owned what the member says that it reads; null when it says nothing about it */
export function reconcile(standing: Standing, goal: Goal, owned: Assignment | null): Standing {
  if (standing.state === 'stable' && standing.memberEpoch === goal.epoch) return standing
  if (standing.state === 'unrevoked') {
    if (stillOwns(owned, standing.pendingRevocation)) return standing
    // It has let go: it is one epoch further at least, whatever was decided meanwhile.
    return nextStanding(standing, standing.memberEpoch + 1, goal, owned)
  }
  return nextStanding(standing, standing.memberEpoch, goal, owned)
}

function nextStanding(standing: Standing, memberEpoch: number, goal: Goal, owned: Assignment | null): Standing {
  const kept = filterAssignment(standing.assigned, (topicId, partition) => holds(goal.assignment, topicId, partition))
  const revoked = filterAssignment(standing.assigned, (topicId, partition) => !holds(kept, topicId, partition))
  const missing = filterAssignment(goal.assignment, (topicId, partition) => !holds(kept, topicId, partition))
  const granted = filterAssignment(missing, (topicId, partition) => !goal.isHeld(topicId, partition))
  const isAllGranted = [...missing].every(([topicId, { size }]) => granted.get(topicId)?.size === size)
  if (revoked.size > 0 && stillOwns(owned, revoked)) {
    return inEpoch(standing, memberEpoch, 'unrevoked', kept, revoked)
  }
  const state = isAllGranted ? 'stable' : 'unreleased'
  return inEpoch(standing, goal.epoch, state, joinAssignments(kept, granted), NOTHING_ASSIGNED)
}

function inEpoch(
  before: Standing,
  memberEpoch: number,
  state: MemberState,
  assigned: Assignment,
  pendingRevocation: Assignment,
): Standing {
  const previousMemberEpoch = memberEpoch === before.memberEpoch ? before.previousMemberEpoch : before.memberEpoch
  return { state, memberEpoch, previousMemberEpoch, assigned, pendingRevocation }
}

/** Whoever does not say what it reads may be reading it all. */
function stillOwns(owned: Assignment | null, revoked: Assignment): boolean {
  return owned === null || haveCommon(owned, revoked)
}
