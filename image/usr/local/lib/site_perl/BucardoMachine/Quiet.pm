# Quiet - no warning of an import method that DBIx::Safe does not have (`use DBIx::Safe '1.2.4'`)
package BucardoMachine::Quiet;
no warnings 'once';
*DBIx::Safe::import = sub { };
1;
