/** The offset of the next win in each partition; what is not in it begins at the beginning. */
export type Positions = ReadonlyMap<number, number>
