/** The id alone, without what stands before it in a full name: what people paste. */
export function bareKekId(kekId: string): string {
  return kekId.slice(kekId.lastIndexOf('/') + 1)
}

/** Whether `named`, a full name or a bare id, means the KEK whose full name is `kekId`. */
export function isSameKek(named: string, kekId: string): boolean {
  return named === kekId || (!named.includes('/') && named === bareKekId(kekId))
}

/** Whether two names, each a full name or a bare id, mean one KEK. */
export function areSameKek(a: string, b: string): boolean {
  return isSameKek(a, b) || isSameKek(b, a)
}
