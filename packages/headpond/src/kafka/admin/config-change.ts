/** What clients ask to be changed of a resource's settings, and what the settings are then. */

import { type Setting, settingValue } from '../../log/setting.ts'
import type { Refusal } from './partition-plan.ts'

export type ConfigMap = ReadonlyMap<string, string>

export const OPERATION = { set: 0, delete: 1, append: 2, subtract: 3 } as const

export interface ConfigChange {
  readonly name: string
  /** One of OPERATION, or what a stranger sent. */
  readonly operation: number
  readonly value: string | null
}

/** Why these changes are none, whatever the resource is; null when they may be. */
export function refuseChanges(changes: readonly ConfigChange[]): Refusal | null {
  if (new Set(changes.map(({ name }) => name)).size < changes.length) {
    return { error: 'INVALID_REQUEST', message: 'Error due to duplicate config keys' }
  }
  const nulls = changes.filter(({ operation, value }) => operation !== OPERATION.delete && value === null)
  if (nulls.length === 0) return null
  const message = `Null value not supported for : ${nulls.map(({ name }) => name).join(', ')}`
  return { error: 'INVALID_REQUEST', message }
}

/**
 * The settings after these changes. Lists that were not set grow and shrink from their defaults.
 * @param refuseList what to say of a setting that is no list
 */
export function applyChanges(
  current: ConfigMap,
  changes: readonly ConfigChange[],
  findSetting: (name: string) => Setting | undefined,
  refuseList: (operation: 'append' | 'subtract', name: string) => Refusal,
): Map<string, string> | Refusal {
  const next = new Map(current)
  for (const { name, operation, value } of changes) {
    if (operation === OPERATION.set) next.set(name, value!)
    else if (operation === OPERATION.delete) next.delete(name)
    else if (operation === OPERATION.append || operation === OPERATION.subtract) {
      const isAppend = operation === OPERATION.append
      const setting = findSetting(name)
      if (setting?.type !== 'LIST') return refuseList(isAppend ? 'append' : 'subtract', name)
      const old = settingValue(setting, next.get(name) ?? setting.default) as readonly string[] | null
      const elements = new Set(old)
      for (const element of value!.split(',')) {
        if (isAppend) elements.add(element.trim())
        else elements.delete(element.trim())
      }
      next.set(name, [...elements].join(','))
    } else {
      return { error: 'INVALID_REQUEST', message: `Unknown config operation ${operation}` }
    }
  }
  return next
}
