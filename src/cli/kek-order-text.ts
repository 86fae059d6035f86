import type { Config } from '../config/schema.ts'
import { isSameKek } from '../keys/kek-name.ts'
import type { NewKekOrder } from '../keys/kek-orders.ts'
import { lastUseOf, type RotationReport } from '../keys/rotation.ts'
import type { RotationWords } from './await-rotation.ts'
import { renderTime } from './table.ts'

/** What is said of an order when the waiting has ended. */
export function orderWords({
  orderId,
  toKekId,
  fromKekId,
  isContained,
}: NewKekOrder): RotationWords {
  return {
    remains: `order ${orderId} stands: every instance takes it over that reads it, and later ones start under it`,
    text: (report) => lastUseText(report),
    json: (report) => ({
      ...{ toKekId, fromKekId, isContained },
      oldKekLastUsedAtMs: lastUseOf(report),
    }),
  }
}

function lastUseText(report: RotationReport): string {
  const lastUsedAtMs = lastUseOf(report)
  if (lastUsedAtMs === null) return 'no data key of before had been used\n'
  const seconds = (lastUsedAtMs - report.request.askedAtMs) / 1000
  const when =
    seconds < 0 ? 'before the order' : `${seconds.toFixed(1)} s after the order, as clocks go`
  return `the KEK of before was used last ${renderTime(lastUsedAtMs)}, ${when}\n`
}

/** What whoever gives an order should know. */
export function warningsOf(
  { toKekId, keyDomain }: NewKekOrder,
  { kafka, keyDomain: { by } }: Config,
  allowedKekIds: readonly string[],
): string[] {
  const warnings: string[] = []
  if (toKekId !== null) {
    const isAllowed = allowedKekIds.some((allowed) => isSameKek(allowed, toKekId))
    const whose = isAllowed ? 'every other reader needs' : 'this configuration lacks'
    warnings.push(
      `${whose} ${toKekId} in kms.allowedKeyIds, else what is sealed from now on is refused with SEAL_KEK_NOT_ALLOWED`,
    )
  } else {
    warnings.push(
      'the KEKs of the configuration come back into force: see that none of them leaked',
    )
  }
  if (keyDomain !== null && by === 'topic' && !kafka.topics.includes(keyDomain)) {
    warnings.push(`"${keyDomain}" is no topic of this configuration, so no key domain of it`)
  }
  return warnings
}
