/** What is said beside a verdict, each thing once. */
export class Notes {
  private readonly copied = new Set<string>();
  private readonly assumed = new Set<string>();

  /** Something of the host that is not in the twin. */
  missing(text: string): void {
    this.copied.add(text);
  }

  /** Something that is taken to be so. */
  assume(text: string): void {
    this.assumed.add(text);
  }

  get notCopied(): readonly string[] {
    return [...this.copied];
  }

  get assumptions(): readonly string[] {
    return [...this.assumed];
  }
}
