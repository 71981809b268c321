/**
 * How DuckDB is opened: one thread and little memory, as it runs beside a watch; nothing is loaded from outside;
 * the log is folded into the file often, so that opening it after a crash is quick.
 */
export const DATABASE_OPTIONS: Readonly<Record<string, string>> = {
  threads: '1',
  memory_limit: '192MB',
  preserve_insertion_order: 'false',
  checkpoint_threshold: '1MB',
  autoload_known_extensions: 'false',
  autoinstall_known_extensions: 'false',
};
