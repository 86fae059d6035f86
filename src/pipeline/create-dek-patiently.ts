import { createDek, type DekMaker } from '../keys/create-dek.ts'
import type { Dek } from '../keys/dek.ts'
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
      generateDataKey: (...asked: Parameters<DekMaker['kms']['generateDataKey']>) =>
        patiently(() => kms.generateDataKey(...asked)),
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
