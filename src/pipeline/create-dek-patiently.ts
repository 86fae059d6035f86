import { createDek, type DekMaker } from '../keys/create-dek.ts'
import type { Dek } from '../keys/dek.ts'
import type { KmsContext } from '../keys/kms.ts'
import type { Patience } from './patience.ts'

/**
 * {@link createDek} for as long as it takes; `onTrouble` hears of each try that is made again. Waits
 * for KMS, key store and event log one by one, so that an outage of the latter costs no more keys.
 */
export function createDekPatiently(
  { kms, keyStore, events, ...rest }: DekMaker,
  patience: Patience,
  keyDomain: string,
  onTrouble: () => void,
): Promise<Dek> {
  const patiently = <T>(call: () => Promise<T>) => patience.with(call, onTrouble)
  const maker = {
    ...rest,
    kms: {
      generateDataKey: (_kekId: string, context: KmsContext) =>
        // Another KEK may be in force by the next try; the one of before is not asked for again.
        patiently(() => kms.generateDataKey(rest.kekOf(keyDomain), context)),
    },
    keyStore: {
      recordDek: (...asked: Parameters<DekMaker['keyStore']['recordDek']>) =>
        patiently(() => keyStore.recordDek(...asked)),
    },
    events: {
      append: (...asked: Parameters<DekMaker['events']['append']>) =>
        patiently(() => events.append(...asked)),
    },
  }
  return createDek(maker, keyDomain)
}
