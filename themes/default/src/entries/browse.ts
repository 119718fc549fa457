// The table of all features of one SAE.
import "../elements/feature-table.ts";
