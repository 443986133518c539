#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# The benchmark's analysis, over points and fio output that are made here.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP ();
use Test::More;
use lib $FindBin::RealBin;
use Analysis qw(median confidence parse_workload size_of read_fio read_run summarize table results_json copies_of
	human);
use Plot qw(plot nice_ticks spread_labels escape);
use Series qw(plots);

# -- numbers

is(median(3, 1, 2), 2, 'median of an odd number');
is(median(4, 1, 3, 2), 2.5, 'median of an even number');
is(median(5, undef, 7, 6), 6, 'median leaves out what was not measured');
is(median(), undef, 'median of nothing');
is(confidence(1 .. 5), undef, 'five values cannot hold a median with 95 %');
is(confidence(1 .. 6), 2.5, 'six just do: from the first to the last');
is(confidence(1 .. 20), 4.5, 'twenty: from the 6th to the 15th, as in tables');
is(confidence((7) x 20), 0, 'no spread, no doubt');
is(size_of('4k'), 4096, 'a block size in KiB');
is(size_of('1m'), 1048576, 'a block size in MiB');
is(size_of('512'), 512, 'a block size in bytes');
is(size_of('4kb'), undef, 'not a block size');
is_deeply([ map { human($_) } undef, 3.14159, 123.4, 9999, 12345, 2500000 ],
	[ '-', '3.1', '123', '9999', '12.3k', '2.5M' ], 'numbers for people');
is_deeply(
	parse_workload('file-128k-read-d8-j4-q2'),
	{ name => 'file-128k-read-d8-j4-q2', target => 'file', block => 131072, block_name => '128k',
		pattern => 'read', depth => 8, jobs => 4, queues => 2 }, 'a workload is its name');
is(parse_workload('null-4k-randread')->{depth}, 1, 'depth 1 if it is not said');

# -- fio's output and a run

sub job { # NAME IOPS MEAN_NS
	my ($name, $iops, $mean, %more) = @_;
	return {
		jobname => $name, error => 0, %more,
		mixed => {
			iops => $iops, bw_bytes => $iops * 4096, total_ios => $iops,
			lat_ns => { mean => $mean, percentile => { '50.000000' => $mean, '99.000000' => 3 * $mean, '99.900000' => 5 * $mean } }
		}
	};
}

sub write_file {
	my ($file, $text) = @_;
	open my $f, '>', $file or die "$file: $!";
	print $f $text;
	close $f;
}

# Turns of 3 candidates; null_blk and copy slow down together in the second half.
sub make_run { # DIR WORKLOAD
	my ($dir, $workload, $factor) = @_;
	mkdir $dir;
	write_file("$dir/plan", join '', map { "$workload $_\n" } 'null_blk null_blk', 'copy ublk --data-path copy',
		'auto ublk --data-path auto --opt fill=none', 'nbd nbd');
	write_file("$dir/settings", "machine=qemu rounds=8 slice_ms=200 warmup_ms=50 engine=io_uring\nmib=64\n");
	write_file("$dir/points", <<'END');
kernel 7.3.4-test
cpus 2
engine io_uring
skip nbd no nbdkit on this machine
server null_blk sectors=800000
server copy cpu_ns=2000000000 sectors=800000 path=copy enters_per_io=0.125
server auto cpu_ns=1000000000 idle_ns=40000000 sectors=800000 path=auto-buf-reg+batch enters_per_io=0.250
problem fio ended with status 1: something
end
END
	my @jobs;
	for my $round (1 .. 8) {
		my $speed = ($round > 4 ? 500 : 1000) * $factor;
		push @jobs, job('null_blk', 100 * $speed, 200_000), job('copy', 80 * $speed, 250_000),
			job('auto', 90 * $speed + $round, 220_000);
	}
	push @jobs, job('auto', 1, 1, error => 5);
	write_file("$dir/fio.json", "fio: a warning\n" . JSON::PP->new->encode({ jobs => \@jobs }));
	return read_run($dir);
}

my $dir = tempdir(CLEANUP => 1);
mkdir "$dir/label";
my $run = make_run("$dir/label/null-4k-randread-d32", 'null-4k-randread-d32', 1);
is($run->{kernel}, '7.3.4-test', 'kernel of a run');
is($run->{label}, 'label', 'label of a run is its folder');
is(@{ $run->{points}{copy} }, 8, 'turns of a candidate');
is(@{ $run->{points}{auto} }, 8, 'a turn that ended with an error does not count');
is($run->{settings}{slice_ms}, 200, 'settings of a run');

my $rows = summarize($run);
my %row = map { $_->{name} => $_ } @$rows;
is_deeply([ map { $_->{name} } @$rows ], [qw(null_blk copy auto nbd)], 'candidates keep their order');
is($row{copy}{iops}, 60000, 'IOPS are the median of the turns');
is($row{copy}{percentiles}{99}, 750, 'latencies are in microseconds');
is(sprintf('%.4f', $row{copy}{vs_reference}), '0.8000', 'a ratio is taken turn by turn');
is($row{copy}{vs_reference_error}, 0, 'a ratio that does not change is certain, though the speed halves');
is($row{null_blk}{vs_copy}, 1.25, 'ratio against the plain copy path');
is($row{copy}{server_us}, 20, 'server CPU per io: time by sectors / 8');
is($row{auto}{server_vs_copy}, 0.5, 'ratio of server CPU');
is($row{null_blk}{server_us}, undef, 'no server, no CPU time of it');
is($row{auto}{copies}, 0, 'copies are those of the path that was taken, batched or not, and of its options');
is($row{copy}{copies}, 1, 'copies of a path without options');
is(copies_of('auto-buf-reg', 'null', 'mixed'), 0.5, 'reads and writes are half each');
is(copies_of('auto-buf-reg', 'null', 'randwrite'), 0, 'copies of writes');
is(copies_of('something', 'null', 'read'), undef, 'nothing is known of another path');
is($row{auto}{idle_percent}, 2, 'CPU of an idle server');
is($row{nbd}{skipped}, 'no nbdkit on this machine', 'what was left out says why');

my $text = table($run, $rows);
like($text, qr/^null-4k-randread-d32, Linux 7\.3\.4-test \(label\)/, 'a table tells what and where');
like($text, qr/^  copy +0\.80 +0\.00 +1\.00 .* 20\.00 +1\.00 +0\.125 +1 +-$/m, 'a row of the table');
like($text, qr/^  auto: auto-buf-reg\+batch +0\.90 /m, 'auto tells what it took');
like($text, qr/fio with io_uring/, 'a table tells the engine');
like($text, qr/left out: nbd: no nbdkit/, 'a table tells what was left out');
like($text, qr/problem: fio ended with status 1/, 'a table tells problems');
my ($head, @body) = grep { /^  \S/ && !/left out|problem/ } split /\n/, $text;
is(scalar(grep { length != length $head } @body), 0, 'rows are as wide as the head');

my $json = JSON::PP->new->decode(results_json([ [ $run, $rows ] ]));
is($json->{results}[0]{candidates}[1]{enters}, 0.125, 'results as JSON');
is($json->{results}[0]{reference}, 'null_blk', 'JSON tells the reference');

my $missing = "$dir/label/null-4k-read-d1";
mkdir $missing;
ok(!eval { read_run($missing) }, 'a run that left nothing is an error');
write_file("$missing/points", "kernel 1\n");
write_file("$missing/plan", "null-4k-read-d1 copy ublk\n");
write_file("$missing/fio.json", '{ "jobs": [');
my $broken = read_run($missing);
like($broken->{problems}[0], qr/cannot be read/, 'output of fio that is cut off is a problem, not the end');
is(summarize($broken)->[0]{skipped}, 'not run', 'and nothing is made up for it');

# -- plots

is_deeply([ nice_ticks(87) ], [ 0, 20, 40, 60, 80, 100 ], 'ticks from 0 to a round number');
is_deeply([ nice_ticks(60000) ], [ map { $_ * 10000 } 0 .. 6 ], 'ticks end at the top where that is round');
is_deeply([ nice_ticks(0.9) ], [ map { $_ / 5 } 0 .. 5 ], 'ticks below 1');
is_deeply([ spread_labels(10, 0, 100, 50, 52, 90) ], [ 50, 60, 90 ], 'labels that are close move apart');
is_deeply([ spread_labels(10, 0, 100, 99, 98) ], [ 100, 90 ], 'labels stay inside, in their order');
is(escape('a<b> & "c"'), 'a&lt;b&gt; &amp; &quot;c&quot;', 'text is escaped');

# A check of what an XML parser checks first: one root, tags that match, attributes in quotes, no bare & or <.
sub well_formed {
	my ($xml) = @_;
	my (@open, $roots);
	while ($xml =~ /\G([^<]*)(?:<(\/?)([a-z]+)((?:\s+[a-zA-Z:-]+="[^"<&]*(?:&(?:amp|lt|gt|quot);[^"<&]*)*")*)\s*(\/?)>|\z)/gc) {
		my ($content, $end, $tag, $self) = ($1, $2, $3, $5);
		return 'bare &' if $content =~ /&(?!(?:amp|lt|gt|quot);)/;
		return 'text outside of the root' if !@open && $content =~ /\S/;
		last unless defined $tag;
		if ($end) {
			my $top = pop @open // '';
			return "</$tag> closes <$top>" if $top ne $tag;
		} else {
			$roots++ unless @open;
			push @open, $tag unless $self;
		}
	}
	return 'junk at ' . substr($xml, pos($xml) // 0, 40) if (pos($xml) // 0) != length $xml;
	return @open ? "open: @open" : $roots == 1 ? '' : "$roots roots";
}
isnt(well_formed('<svg><text>a</svg>'), '', 'the check finds a tag that is not closed');
isnt(well_formed('<svg a="1"><text>a & b</text></svg>'), '', 'the check finds a bare ampersand');

my @results = ([ $run, $rows ]);
for my $depth (1, 8, 128) {
	my $r = make_run("$dir/label/null-4k-randread-d$depth", "null-4k-randread-d$depth", 1 + $depth / 100);
	push @results, [ $r, summarize($r) ];
}
my %plots = plots(\@results);
is_deeply(
	[ sort keys %plots ],
	[ 'depth-null-4k-randread-label.svg', map { "latency-null-4k-randread-d$_-label.svg" } 1, 128, 32, 8 ],
	'plots of a small set: each latency, and IOPS over depth');
for my $name (sort keys %plots) {
	is(well_formed($plots{$name}), '', "$name is well-formed");
	like($plots{$name}, qr/>auto<\/text>/, "$name names its lines");
	unlike($plots{$name}, qr/>nbd<\/text>/, "$name has no line for what was left out");
	unlike($plots{$name}, qr/nan|inf/i, "$name has only numbers");
}
like($plots{'depth-null-4k-randread-label.svg'}, qr/>IOPS<\/text>/, 'axes have units');
like($plots{'latency-null-4k-randread-d8-label.svg'}, qr/>latency, microseconds<\/text>/, 'axes have units');
my @lines = $plots{'depth-null-4k-randread-label.svg'} =~ /<polyline [^>]*points="([^"]*)"/g;
is(scalar @lines, 3, 'a line per candidate');
is(scalar(split / /, $lines[0]), 4, 'a point per depth');

my @many = map { my $d = 2**$_; my $r = make_run("$dir/label/mem-64k-read-d$d", "mem-64k-read-d$d", 1); [ $r, summarize($r) ] } 0 .. 8;
is_deeply([ keys %{ { plots(\@many) } } ], ['depth-mem-64k-read-label.svg'],
	'a large set makes latency plots only of what is looked at first');

done_testing();
