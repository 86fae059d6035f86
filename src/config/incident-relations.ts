import { areSameKek } from '../keys/kek-name.ts'
import type { Problem } from './problems.ts'
import type { Config } from './schema.ts'

/** How the sections of incidents and drills must stand to the others. */
export function incidentProblems(config: Config): Problem[] {
  const { incident } = config
  const problems: Problem[] = []
  if (incident.webhooks.length > 0 && incident.webhookSecret === undefined) {
    problems.push({ path: 'incident.webhookSecret', reason: 'is required beside webhooks' })
  }
  return [...problems, ...drillProblems(config)]
}

/** A canary that shares a KEK with anything would move that too. */
function drillProblems({ drill, kafka, keyDomain, kms }: Config): Problem[] {
  if (drill === undefined) return []
  const problems: Problem[] = []
  const refuse = (path: string, reason: string) => problems.push({ path, reason })
  if (!kafka.topics.includes(drill.topic)) refuse('drill.topic', 'must be one of kafka.topics')
  if (drill.keks.length < 2) refuse('drill.keks', 'must have two entries at least')
  const domains = keyDomain.keks.map((entry) => {
    const at = entry.indexOf('=')
    return { domain: entry.slice(0, at), kekId: entry.slice(at + 1) }
  })
  const own = domains.find(({ domain }) => domain === drill.topic)
  if (own === undefined || !drill.keks.some((kekId) => areSameKek(kekId, own.kekId))) {
    refuse('keyDomain.keks', `must give ${drill.topic} one of drill.keks`)
  }
  for (const [index, kekId] of drill.keks.entries()) {
    const path = `drill.keks.${index}`
    const others = domains.filter(({ domain }) => domain !== drill.topic)
    if ([kms.keyId, ...others.map((one) => one.kekId)].some((one) => areSameKek(one, kekId))) {
      refuse(path, 'protects more than the canary, give that a KEK of its own')
    }
    const known = [...kms.allowedKeyIds, ...(own === undefined ? [] : [own.kekId])]
    if (!known.some((one) => areSameKek(one, kekId))) {
      refuse(path, 'must be in kms.allowedKeyIds, so that what is under it can be read')
    }
  }
  return problems
}
