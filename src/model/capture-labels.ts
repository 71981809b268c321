/**
 * Short names for captures: the last part of each path, with as many folders before it as it takes to tell them apart. What was
 * given twice is numbered, so that every label is unique.
 */
export function captureLabels(paths: readonly string[]): string[] {
  const parts = paths.map((path) => path.split('/').filter((part) => part !== '' && part !== '.'));
  const labels = parts.map((own) => {
    for (let count = 1; count <= own.length; count++) {
      const label = own.slice(-count).join('/');
      if (parts.every((other) => other.slice(-count).join('/') !== label || other.join('/') === own.join('/')))
        return label;
    }
    return own.join('/') || '-';
  });
  return labels.map((label, index) => {
    const before = labels.slice(0, index).filter((other) => other === label).length;
    return before === 0 ? label : `${label} (${before + 1})`;
  });
}
