/** Where the segments and the key directory stand in the bucket; `prefix` has no slash at its ends. */
export interface ObjectNames {
  readonly prefix: string
}

/** `<prefix>/segments/`: every segment lies under it. */
export function segmentFolder({ prefix }: ObjectNames): string {
  return `${prefix}/segments/`
}

/** `<prefix>/segments/<domain>/<yyyy>/<mm>/<dd>/<hh>/<segment-id>.seal`, in UTC. */
export function segmentObjectKey(
  names: ObjectNames,
  keyDomain: string,
  segmentId: string,
  createdAtMs: number,
): string {
  const hour = new Date(createdAtMs)
    .toISOString()
    .slice(0, 13)
    .replace('T', '-')
    .replaceAll('-', '/')
  return `${segmentFolder(names)}${encodeURIComponent(keyDomain)}/${hour}/${segmentId}.seal`
}

/** `<prefix>/deks/`: the key directory. */
export function dekFolder({ prefix }: ObjectNames): string {
  return `${prefix}/deks/`
}

/** `<prefix>/deks/<dek-id>.json`: one small object a DEK. */
export function dekObjectKey(names: ObjectNames, dekId: string): string {
  return `${dekFolder(names)}${dekId}.json`
}
