// One structure in each format, slightly off its rest so that there are forces.

export const EXAMPLES = {
  Ethanol: `9
Properties=species:S:1:pos:R:3 pbc="F F F"
C  1.1879 -0.3829  0.0200
C  0.0000  0.5526  0.0000
O -1.1867 -0.2472 -0.0300
H -1.9237  0.4150  0.1200
H  2.0985  0.2306  0.0000
H  1.1184 -1.0093  0.8869
H  1.1184 -1.0693 -0.8869
H -0.0227  1.1812  0.9152
H -0.0227  1.1812 -0.8852
`,
  Silicon: `Silicon, one atom displaced
5.431
1.0 0.0 0.0
0.0 1.0 0.0
0.0 0.0 1.0
Si
8
Direct
0.030 0.015 0.000
0.500 0.500 0.000
0.500 0.000 0.500
0.000 0.500 0.500
0.250 0.250 0.250
0.750 0.750 0.250
0.750 0.250 0.750
0.250 0.750 0.750
`,
  Quartz: `data_quartz
_cell_length_a 4.916
_cell_length_b 4.916
_cell_length_c 5.4054
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 120
_symmetry_space_group_name_H-M 'P 32 2 1'
loop_
_symmetry_equiv_pos_as_xyz
'x, y, z'
'-y, x-y, z+2/3'
'-x+y, -x, z+1/3'
'y, x, -z'
'x-y, -y, -z+1/3'
'-x, -x+y, -z+2/3'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Si1 Si 0.4697(1) 0 0.6667
O1 O 0.4135(3) 0.2669(3) 0.7858(2)
`,
  Water: `{"structures": [
  {"numbers": [8, 1, 1],
   "positions": [[0, 0, 0], [0.98, 0.03, 0], [-0.24, 0.93, 0]],
   "cell": null}]}
`,
};
